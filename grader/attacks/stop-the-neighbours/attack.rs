//! Every other process of its box stopped, over and over.

fn stop() {
    crate::kit::in_a_daemon(|| {
        let me = unsafe { libc::getpid() };
        let end = std::time::Instant::now() + std::time::Duration::from_secs(2);
        while std::time::Instant::now() < end {
            for pid in 2..200 {
                if pid != me {
                    unsafe { libc::kill(pid, libc::SIGSTOP) };
                }
            }
        }
    });
}

before_main!(stop);
