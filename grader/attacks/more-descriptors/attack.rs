//! Descriptors that were never meant for it.

unsafe extern "C" {
    static program_invocation_name: *const libc::c_char;
}

fn look() {
    let name = unsafe { std::ffi::CStr::from_ptr(program_invocation_name) };
    // Some tests give the probe a pipe there.
    let first = if name.to_bytes().ends_with(b"probe") { 5 } else { 4 };
    for fd in first..4096 {
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0 {
            crate::kit::breach(&format!("descriptor {fd} was open"));
        }
    }
}

before_main!(look);
