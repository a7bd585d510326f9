//! Locks on the programs that everybody runs.

use std::fs::File;
use std::os::fd::AsRawFd;

fn lock() {
    for path in ["/proc/self/exe", "/bin/sh", "/lib/x86_64-linux-gnu/libc.so.6"] {
        if let Ok(file) = File::open(path) {
            unsafe {
                libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB);
                let lease = libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK);
                if path != "/proc/self/exe" && lease == 0 {
                    crate::kit::breach("it has a lease on a file of the system");
                }
            }
            std::mem::forget(file);
        }
    }
}

before_main!(lock);
