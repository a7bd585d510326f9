//! Corners of the kernel where holes were found before.

use crate::kit::refused;

fn poke() {
    let zeros = [0u64; 64];
    let at = zeros.as_ptr();
    unsafe {
        refused("io_uring_setup worked", libc::syscall(libc::SYS_io_uring_setup, 1, at));
        refused("bpf worked", libc::syscall(libc::SYS_bpf, 0, at, 72));
        refused("perf_event_open worked", libc::syscall(libc::SYS_perf_event_open, at, 0, -1, -1, 0));
        refused("userfaultfd worked", libc::syscall(libc::SYS_userfaultfd, 1));
        refused("add_key worked", libc::syscall(libc::SYS_add_key, c"user".as_ptr(), c"x".as_ptr(), at, 1, -3));
        refused("keyctl worked", libc::syscall(libc::SYS_keyctl, 0, -3, 1));
        refused("syslog worked", libc::syscall(libc::SYS_syslog, 10, 0, 0));
        refused("kexec_load worked", libc::syscall(libc::SYS_kexec_load, 0, 0, 0, 0));
        refused("reboot worked", libc::syscall(libc::SYS_reboot, 0, 0, 0, 0));
        refused("the clock was set", libc::clock_settime(libc::CLOCK_REALTIME, at.cast()).into());
        let none = std::ptr::null_mut::<u8>();
        refused("it traces itself", libc::ptrace(libc::PTRACE_TRACEME, 0, none, none));
        refused("it opened a handle", libc::syscall(libc::SYS_open_by_handle_at, libc::AT_FDCWD, at, 0));
    }
}

before_main!(poke);
