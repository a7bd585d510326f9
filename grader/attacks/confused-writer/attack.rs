//! A link to a file of the machine in the place of the FIFO that the test writes to.

use std::os::unix::fs::symlink;

fn plant() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|word| word == "--dir") {
        let folder = &arguments[at + 1];
        let _ = symlink("@PRECIOUS@", format!("{folder}/hub.fifo"));
        crate::kit::sleep_for_ever();
    }
}

before_main!(plant);
