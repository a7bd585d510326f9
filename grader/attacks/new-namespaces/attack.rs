//! Namespaces of its own, where it would be root.

use crate::kit::refused;

fn unshare() {
    let flags = [
        ("user", libc::CLONE_NEWUSER),
        ("mount", libc::CLONE_NEWNS),
        ("pid", libc::CLONE_NEWPID),
        ("net", libc::CLONE_NEWNET),
        ("ipc", libc::CLONE_NEWIPC),
    ];
    for (name, flag) in flags {
        unsafe {
            refused(&format!("unshare made a {name} namespace"), libc::unshare(flag).into());
            let pid = libc::syscall(libc::SYS_clone, flag | libc::SIGCHLD, 0, 0, 0, 0);
            if pid == 0 {
                libc::_exit(0);
            }
            refused(&format!("clone made a {name} namespace"), pid);
            // struct clone_args: flags, …, exit_signal is the fifth of eight words.
            let arguments = [flag as u64, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0];
            let pid = libc::syscall(libc::SYS_clone3, arguments.as_ptr(), 64);
            if pid == 0 {
                libc::_exit(0);
            }
            refused(&format!("clone3 made a {name} namespace"), pid);
        }
    }
    for kind in ["user", "mnt", "pid", "net", "ipc"] {
        if let Ok(file) = std::fs::File::open(format!("/proc/1/ns/{kind}")) {
            use std::os::fd::AsRawFd;
            refused("setns worked", unsafe { libc::setns(file.as_raw_fd(), 0) }.into());
        }
    }
}

before_main!(unshare);
