//! A process that leaves its parents and its session.

fn stay() {
    crate::kit::in_a_daemon(|| {
        unsafe {
            for fd in 0..64 {
                libc::close(fd);
            }
            for signal in 1..64 {
                libc::signal(signal, libc::SIG_IGN);
            }
        }
        crate::kit::sleep_for_ever();
    });
}

before_main!(stay);
