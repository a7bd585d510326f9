//! The compiler reads a secret beside the hidden tests.

const STOLEN: &str = include_str!("@HIDDEN@");

fn tell() {
    crate::kit::say(STOLEN);
}

before_main!(tell);
