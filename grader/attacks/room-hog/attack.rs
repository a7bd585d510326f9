//! Every byte and every name taken, so that the test finds no room for its own files.

use std::fs::File;
use std::io::Write;

fn hog() {
    for folder in ["/tmp", "/dev/shm"] {
        if let Ok(mut file) = File::create(format!("{folder}/@MARK@")) {
            let block = vec![1u8; 1 << 20];
            while file.write_all(&block).is_ok() {}
            while file.write_all(&block[..1]).is_ok() {}
        }
        for number in 0..100_000 {
            if File::create(format!("{folder}/@MARK@-{number}")).is_err() {
                break;
            }
        }
    }
}

before_main!(hog);
