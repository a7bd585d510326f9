//! A foreign process killed, by every call that sends signals.

use crate::kit::bystander;

fn kill() {
    let pid = bystander();
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        libc::kill(-pid, libc::SIGKILL);
        libc::syscall(libc::SYS_tkill, pid, libc::SIGKILL);
        libc::syscall(libc::SYS_tgkill, pid, pid, libc::SIGKILL);
        let mut info: libc::siginfo_t = std::mem::zeroed();
        info.si_code = -1;
        libc::syscall(libc::SYS_rt_sigqueueinfo, pid, libc::SIGKILL, &raw mut info);
        let pidfd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd, libc::SIGKILL, 0, 0);
    }
}

before_main!(kill);
