//! Descriptors that were never meant for it.

fn look() {
    for fd in 4..4096 {
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0 {
            crate::kit::breach(&format!("descriptor {fd} was open"));
        }
    }
}

before_main!(look);
