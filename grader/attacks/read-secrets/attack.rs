//! Secrets of the machine, by their names.

use crate::kit::{ROOT, SECRETS, VERDICT, breach, steal};

fn look() {
    for secret in SECRETS {
        steal(secret);
        steal(&format!("/proc/self/root{secret}"));
        steal(&format!("/proc/1/root{secret}"));
        steal(&format!("/proc/self/cwd/../../../..{secret}"));
        steal(&format!("/proc/@GRADER@/root{secret}"));
    }
    let private = [
        VERDICT,
        "/etc/shadow",
        "/root/.bashrc",
        "/dev/mem",
        "/dev/kmsg",
        "/dev/vda",
        "/dev/sda",
    ];
    for path in private {
        if std::fs::File::open(path).is_ok() {
            breach(&format!("it opened {path}"));
        }
    }
    let solution = format!("{ROOT}/solutions/pipes/src/lib.rs");
    if std::fs::read(solution).is_ok() {
        breach("it read the reference solution");
    }
}

before_main!(look);
