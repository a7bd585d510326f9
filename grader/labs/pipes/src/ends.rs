//! The ends of a submission's pipes that the test holds itself.
//!
//! Whether bytes or the end of the file come is up to the submission, so every wait here is one
//! that the watchdog can see and end.

use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::thread::{self, JoinHandle};

use harness::{Bench, Check};
use nix::fcntl::{FcntlArg, fcntl};

/// A pipe that is being read in the background.
pub(crate) struct Reading(JoinHandle<io::Result<Vec<u8>>>);

/// Starts to take everything out of the pipe, at most `chunk` bytes at a time.
pub(crate) fn start_reading(mut reader: PipeReader, chunk: usize) -> Reading {
    Reading(thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut buf = vec![0; chunk];
        loop {
            match reader.read(&mut buf)? {
                0 => return Ok(bytes),
                n_read => bytes.extend_from_slice(&buf[..n_read]),
            }
        }
    }))
}

impl Reading {
    /// Everything up to the end of the file.
    pub(crate) fn finish(self, bench: &Bench) -> Check<Vec<u8>> {
        bench.until(|| self.0.is_finished());
        Ok(self.0.join().expect("the reader does not panic")?)
    }
}

/// How many bytes the pipe holds: 64 KiB unless somebody changed it, and more where pages are larger
/// than 4 KiB.
pub(crate) fn capacity(end: impl AsFd) -> Check<usize> {
    let n_bytes = fcntl(end, FcntlArg::F_GETPIPE_SZ)?;
    Ok(usize::try_from(n_bytes).unwrap_or_default())
}

/// Bytes in the pipe that nobody has read yet.
pub(crate) fn bytes_waiting(reader: &PipeReader) -> usize {
    let mut n_bytes: i32 = 0;
    // SAFETY: FIONREAD writes one int to the address given.
    unsafe { libc::ioctl(reader.as_raw_fd(), libc::FIONREAD, &mut n_bytes) };
    usize::try_from(n_bytes).unwrap_or_default()
}
