//! The C library's start replaced, so that main never runs.

#[unsafe(no_mangle)]
pub extern "C" fn __libc_start_main() -> ! {
    unsafe { libc::syscall(libc::SYS_exit_group, 0) };
    loop {}
}
