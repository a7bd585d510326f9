//! Empty files until there are no more inodes.

use std::fs::File;

fn flood() {
    for folder in ["/tmp", "/dev/shm", "/var/tmp"] {
        let n_files = (0..100_000)
            .take_while(|number| File::create(format!("{folder}/@MARK@-{number}")).is_ok())
            .count();
        if n_files == 100_000 {
            crate::kit::breach("it made 100 000 files");
        }
    }
}

before_main!(flood);
