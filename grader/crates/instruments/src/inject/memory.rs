//! The buffers that an announced call names, in the memory of the process that makes it.
//!
//! The call stands still, and so do they, unless another thread of the process changes them. They
//! are only ever bytes to pass on.

use std::io::{self, IoSlice};

use nix::sys::uio::{RemoteIoVec, process_vm_writev};
use nix::unistd::Pid;

use crate::proc::{Process, as_debugger, read_bytes, read_u64};

/// Pieces of memory: address and length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Buffers(Vec<(u64, usize)>);

/// More than this the kernel does not take in one call (`UIO_MAXIOV`).
const MAX_PIECES: u64 = 1024;

impl Buffers {
    /// What the arguments of a reading or writing call name; `None` for a call that is not known.
    pub(crate) fn of(process: Process, call: i64, args: &[u64; 6]) -> Option<Self> {
        match call {
            libc::SYS_read | libc::SYS_write | libc::SYS_recvfrom | libc::SYS_sendto => {
                let length = usize::try_from(args[2]).ok()?;
                Some(Self(vec![(args[1], length)]))
            }
            libc::SYS_readv | libc::SYS_writev => Self::vector(process, args[1], args[2]),
            // The third and fourth word of a msghdr.
            libc::SYS_recvmsg | libc::SYS_sendmsg => {
                let vector = read_u64(process, args[1] + 16)?;
                Self::vector(process, vector, read_u64(process, args[1] + 24)?)
            }
            _ => None,
        }
    }

    fn vector(process: Process, address: u64, n_pieces: u64) -> Option<Self> {
        let pieces = (0..n_pieces.min(MAX_PIECES)).map(|index| {
            let piece = address + index * 16;
            let length = usize::try_from(read_u64(process, piece + 8)?).ok()?;
            Some((read_u64(process, piece)?, length))
        });
        pieces.collect::<Option<_>>().map(Self)
    }

    /// All their bytes together.
    pub(crate) fn length(&self) -> usize {
        self.0
            .iter()
            .fold(0, |sum, (_, length)| sum.saturating_add(*length))
    }

    /// The first `length` bytes.
    pub(crate) fn load(&self, process: Process, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        for &(address, piece) in &self.0 {
            let wanted = piece.min(length - bytes.len());
            if wanted > 0 {
                let loaded = read_bytes(process, address, wanted);
                let loaded = loaded.filter(|loaded| loaded.len() == wanted);
                bytes.extend(loaded.ok_or(io::ErrorKind::UnexpectedEof)?);
            }
        }
        Ok(bytes)
    }

    /// Puts `bytes` at their beginning.
    pub(crate) fn store(&self, process: Process, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        for &(address, piece) in &self.0 {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            as_debugger(|| store(process, address, now))?;
            rest = later;
        }
        Ok(())
    }
}

/// `/proc/PID/mem` could do it, too, and looks at the effective user only; but a test that runs
/// behind Landlock opens no file there for writing.
fn store(process: Process, address: u64, bytes: &[u8]) -> io::Result<()> {
    let there = RemoteIoVec {
        base: address as usize,
        len: bytes.len(),
    };
    let pid = Pid::from_raw(process.pid());
    match process_vm_writev(pid, &[IoSlice::new(bytes)], &[there])? {
        n_stored if n_stored == bytes.len() => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}
