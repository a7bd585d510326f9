//! All the processor's time, in many processes.

fn burn() {
    for _ in 0..8 {
        crate::kit::in_a_daemon(|| loop {
            std::hint::spin_loop();
        });
    }
}

before_main!(burn);
