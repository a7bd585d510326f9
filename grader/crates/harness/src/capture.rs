//! Reads a program's output as it comes: everything up to a cap, nothing beyond it.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Bytes that a reader thread collects.
#[derive(Debug)]
pub(crate) struct Capture {
    shared: Arc<Shared>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    collected: Mutex<Collected>,
}

/// The reader takes bytes out of the pipe only with the lock held, so that whoever holds the
/// lock and finds the pipe empty has seen everything written so far.
#[derive(Debug)]
struct Collected {
    pipe: Option<Arc<File>>,
    bytes: Vec<u8>,
    overflowed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.collected
            .lock()
            .expect("no holder of this lock panics")
    }
}

impl Capture {
    /// Starts reading `pipe` to its end, or to `cap` bytes. Beyond the cap the pipe is closed, so
    /// that a flood ends with EPIPE in the program that makes it.
    pub(crate) fn start(pipe: File, cap: u64) -> Self {
        let pipe = Arc::new(pipe);
        let collected = Collected {
            pipe: Some(Arc::clone(&pipe)),
            bytes: Vec::new(),
            overflowed: false,
        };
        let shared = Arc::new(Shared {
            collected: Mutex::new(collected),
        });
        let theirs = Arc::clone(&shared);
        let reader = thread::spawn(move || {
            let mut chunk = vec![0; 64 << 10];
            while collect_once(&pipe, &theirs, &mut chunk, cap) {}
            theirs.lock().pipe = None;
        });
        Self {
            shared,
            reader: Mutex::new(Some(reader)),
        }
    }

    /// What has come so far.
    pub(crate) fn so_far(&self) -> Vec<u8> {
        self.shared.lock().bytes.clone()
    }

    /// Whether everything that was written before this call has come.
    pub(crate) fn is_drained(&self) -> bool {
        match &self.shared.lock().pipe {
            None => true,
            Some(pipe) => bytes_waiting(pipe) == 0,
        }
    }

    /// Everything, and whether the cap was hit. Waits until every holder of the write end has
    /// closed it; meanwhile others can still ask for what has come so far.
    pub(crate) fn finish(&self) -> (Vec<u8>, bool) {
        let reader = self
            .reader
            .lock()
            .expect("no holder of this lock panics")
            .take();
        if let Some(reader) = reader {
            crate::clock::waiting(|| reader.join().expect("the reader does not panic"));
        }
        let collected = self.shared.lock();
        (collected.bytes.clone(), collected.overflowed)
    }
}

/// One read; whether there may be more.
fn collect_once(pipe: &File, shared: &Shared, chunk: &mut [u8], cap: u64) -> bool {
    let mut readable = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    if poll(&mut readable, PollTimeout::NONE).is_err() {
        return true; // EINTR: look again
    }
    let mut collected = shared.lock();
    let mut source = pipe;
    let Ok(n_read @ 1..) = source.read(chunk) else {
        return false;
    };
    let room = usize::try_from(cap)
        .unwrap_or(usize::MAX)
        .saturating_sub(collected.bytes.len());
    collected
        .bytes
        .extend_from_slice(&chunk[..n_read.min(room)]);
    collected.overflowed = n_read > room;
    !collected.overflowed
}

fn bytes_waiting(pipe: &File) -> i32 {
    let mut n_bytes = 0;
    // SAFETY: FIONREAD writes one int to the address given.
    unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &mut n_bytes) };
    n_bytes
}

/// The end of a captured text, lossy, at most `limit` bytes.
pub(crate) fn tail(bytes: &[u8], limit: usize) -> String {
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(limit)..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::OwnedFd;

    fn pipe() -> (File, File) {
        let (reader, writer) = std::io::pipe().unwrap();
        (
            File::from(OwnedFd::from(reader)),
            File::from(OwnedFd::from(writer)),
        )
    }

    #[test]
    fn a_flood_is_kept_up_to_the_cap_and_then_meets_epipe() {
        let (reader, mut writer) = pipe();
        let capture = Capture::start(reader, 1000);
        let error = loop {
            if let Err(error) = writer.write_all(&[7; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        assert_eq!(capture.finish(), (vec![7; 1000], true));
    }

    #[test]
    fn a_drained_capture_holds_all_that_was_written() {
        let (reader, mut writer) = pipe();
        let capture = Capture::start(reader, 1 << 20);
        for round in 1..=500 {
            writer.write_all(b"x").unwrap();
            while !capture.is_drained() {
                thread::yield_now();
            }
            assert_eq!(capture.so_far().len(), round);
        }
    }
}
