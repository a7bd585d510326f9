//! Processes that each end as soon as the next one runs.

fn run() {
    crate::kit::in_a_daemon(|| {
        loop {
            match unsafe { libc::fork() } {
                0 => {}
                -1 => std::thread::yield_now(),
                _ => unsafe { libc::_exit(0) },
            }
        }
    });
}

before_main!(run);
