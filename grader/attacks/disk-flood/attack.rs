//! Files until the disk is full, and the test finds no room for its own.

use std::fs::File;
use std::io::Write;

fn flood() {
    let block = vec![1u8; 1 << 20];
    let mut total = 0;
    for folder in ["/tmp", "/dev/shm", "/var/tmp", "."] {
        for number in 0..16 {
            let Ok(mut file) = File::create(format!("{folder}/@MARK@-{number}")) else {
                continue;
            };
            for _ in 0..64 {
                if file.write_all(&block).is_err() {
                    break;
                }
                total += 1;
            }
        }
    }
    if total > 512 {
        crate::kit::breach("it wrote 512 MiB to the disk");
    }
}

before_main!(flood);
