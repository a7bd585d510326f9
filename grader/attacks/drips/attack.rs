//! A program that says one byte now and then, so that it never stands still.

fn drip() {
    loop {
        crate::kit::say(".");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

before_main!(drip);
