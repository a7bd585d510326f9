//! Settings of the kernel written.

use crate::kit::breach;

fn write() {
    let settings = [
        ("/proc/sys/kernel/core_pattern", "|/tmp/attack"),
        ("/proc/sys/kernel/hostname", "attacked"),
        ("/proc/sys/kernel/shmall", "1"),
        ("/proc/sys/kernel/pid_max", "1000"),
        ("/proc/sys/net/ipv4/ip_forward", "1"),
        ("/proc/sys/fs/mqueue/queues_max", "1"),
        ("/proc/sysrq-trigger", "?"),
        ("/sys/kernel/mm/ksm/run", "0"),
        ("/sys/fs/cgroup/cgroup.procs", "1"),
    ];
    for (path, value) in settings {
        let opened = std::fs::OpenOptions::new().write(true).open(path);
        if opened.is_ok() {
            breach(&format!("it may write {path} ({value})"));
        }
    }
    unsafe {
        crate::kit::refused("it renamed the machine", libc::sethostname(c"attacked".as_ptr(), 8).into());
    }
    if std::fs::File::open("/dev/tty").is_ok() {
        breach("it has a terminal");
    }
}

before_main!(write);
