//! A process that is never the same one for long.

fn stay() {
    crate::kit::in_a_daemon(|| {
        for fd in 0..64 {
            unsafe { libc::close(fd) };
        }
        loop {
            if unsafe { libc::fork() } > 0 {
                unsafe { libc::_exit(0) }
            }
            unsafe { libc::setsid() };
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    });
}

before_main!(stay);
