//! A program that sleeps and blocks every signal.

fn sleep() {
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut set);
        libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
    crate::kit::sleep_for_ever();
}

before_main!(sleep);
