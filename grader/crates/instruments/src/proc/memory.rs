//! Reads the memory of another process: the structures that its call points to.

use std::io::IoSliceMut;

use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::Process;

/// Up to `length` bytes at `address`; fewer where the mapping ends, `None` if nothing is there
/// or the process belongs to somebody else.
pub fn read_bytes(process: Process, address: u64, length: usize) -> Option<Vec<u8>> {
    let base = usize::try_from(address).ok()?;
    let mut bytes = vec![0; length];
    let pid = Pid::from_raw(process.pid());
    // The kernel copies whole ranges or nothing of each, so a short read needs two of them.
    let first = length.min(PAGE - base % PAGE);
    let remote = [
        RemoteIoVec { base, len: first },
        RemoteIoVec {
            base: base.wrapping_add(first),
            len: length - first,
        },
    ];
    let n = process_vm_readv(pid, &mut [IoSliceMut::new(&mut bytes)], &remote).ok()?;
    bytes.truncate(n);
    (n > 0).then_some(bytes)
}

/// The smallest page of any Linux: a read up to its end never crosses a mapping.
const PAGE: usize = 4096;

/// The path that ends with a NUL at `address`.
pub fn read_path(process: Process, address: u64) -> Option<String> {
    let bytes = read_bytes(process, address, libc::PATH_MAX as usize)?;
    let end = bytes.iter().position(|&byte| byte == 0)?;
    Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
}

/// The 32-bit word at `address`.
pub fn read_u32(process: Process, address: u64) -> Option<u32> {
    Some(u32::from_ne_bytes(
        read_bytes(process, address, 4)?.try_into().ok()?,
    ))
}

/// The 64-bit word at `address`.
pub fn read_u64(process: Process, address: u64) -> Option<u64> {
    Some(u64::from_ne_bytes(
        read_bytes(process, address, 8)?.try_into().ok()?,
    ))
}
