//! So many processes that the test can start no more.

fn hog() {
    crate::kit::in_a_daemon(|| {
        for fd in 0..64 {
            unsafe { libc::close(fd) };
        }
        loop {
            match unsafe { libc::fork() } {
                0 => crate::kit::sleep_for_ever(),
                -1 => std::thread::sleep(std::time::Duration::from_millis(1)),
                _ => {}
            }
        }
    });
}

before_main!(hog);
