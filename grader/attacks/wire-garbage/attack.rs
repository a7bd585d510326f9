//! Garbage, and a message of 4 billion fields, in the place of the probe's answers.

use std::io::Write;
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixStream;

fn babble() {
    if crate::kit::argument(0).ends_with("probe") {
        let mut wire = unsafe { UnixStream::from_raw_fd(3) };
        let _ = wire.write_all(&[0xff, 0xff, 0xff, 0xff]);
        while wire.write_all(&[0; 65536]).is_ok() {}
        unsafe { libc::_exit(0) }
    }
}

before_main!(babble);
