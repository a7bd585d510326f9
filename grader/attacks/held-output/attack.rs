//! A process that keeps the output open when the program has ended.

fn hold() {
    crate::kit::in_a_daemon(|| crate::kit::sleep_for_ever());
}

before_main!(hold);
