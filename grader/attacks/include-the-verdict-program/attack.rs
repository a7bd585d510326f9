//! The program with the hidden tests as data.

const STOLEN: &[u8] = include_bytes!("@VERDICT@");

fn tell() {
    if STOLEN.starts_with(b"\x7fELF") {
        crate::kit::breach("it read the hidden tests");
    }
}

before_main!(tell);
