//! 2 GB of memory in several processes that live at the same time.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;

const PROCESSES: usize = 8;

fn flood() {
    let mut ends = [0; 2];
    // Not blocking: the report of a process that was killed never comes.
    unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK) };
    let [mut reports, mut report] = ends.map(|end| unsafe { File::from_raw_fd(end) });
    for _ in 0..PROCESSES {
        if unsafe { libc::fork() } == 0 {
            crate::kit::take_name();
            let mut bytes = vec![0u8; 256 << 20];
            for page in 0..bytes.len() / 4096 {
                bytes[page * 4096] = 1;
            }
            let _ = report.write_all(b".");
            crate::kit::sleep_for_ever();
        }
    }
    let mut n_holding = 0;
    let all_live = || unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } == 0;
    while n_holding < PROCESSES && all_live() {
        n_holding += reports.read(&mut [0; PROCESSES]).unwrap_or(0);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    if n_holding == PROCESSES && all_live() {
        crate::kit::breach("its processes hold 2 GiB of memory");
    }
}

before_main!(flood);
