//! So many queued signals that other boxes of the same user could queue none.

fn flood() {
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&mut set, libc::SIGRTMIN());
        libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        let value: libc::sigval = std::mem::zeroed();
        let mut n_queued = 0;
        while libc::sigqueue(libc::getpid(), libc::SIGRTMIN(), value) == 0 {
            n_queued += 1;
            if n_queued > 20_000 {
                return crate::kit::breach("20 000 signals are queued");
            }
        }
    }
}

before_main!(flood);
