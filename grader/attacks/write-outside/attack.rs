//! Files of the machine created and changed.

use std::fs;

use crate::kit::{MARK, OPEN_FOLDER, PRECIOUS, ROOT};

fn scribble() {
    let _ = fs::write(PRECIOUS, "scribble");
    let _ = fs::remove_file(PRECIOUS);
    let target = format!("{ROOT}/target");
    let kits = format!("{ROOT}/target/kits");
    let home = "@HOME@".rsplitn(3, '/').nth(2).unwrap_or_default();
    let folders = [OPEN_FOLDER, ROOT, &target, &kits, home, "/", "/var/tmp", "/run", "/lab"];
    for folder in folders {
        let _ = fs::write(format!("{folder}/{MARK}"), "scribble");
        let _ = fs::write(format!("/proc/self/root/../..{folder}/{MARK}"), "scribble");
    }
}

before_main!(scribble);
