//! System calls by the numbers of other architectures.

#[cfg(target_arch = "x86_64")]
fn call() {
    const X32: libc::c_long = 0x4000_0000;
    let flags = libc::CLONE_NEWUSER;
    crate::kit::refused("x32 unshare worked", unsafe {
        libc::syscall(X32 | libc::SYS_unshare, flags)
    });
    if unsafe { libc::fork() } == 0 {
        let mut result: i32 = 310; // unshare, as 32-bit programs call it
        unsafe {
            std::arch::asm!(
                "push rbx",
                "mov ebx, {flags:e}",
                "int 0x80",
                "pop rbx",
                flags = in(reg) flags,
                inout("eax") result,
            );
        }
        crate::kit::refused("32-bit unshare worked", result.into());
        unsafe { libc::_exit(0) }
    }
    unsafe { libc::wait(std::ptr::null_mut()) };
}

#[cfg(not(target_arch = "x86_64"))]
fn call() {}

before_main!(call);
