//! Reads the memory of another process: the structures that its call points to.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::Process;

/// Up to `length` bytes at `address`; fewer where the mapping ends, `None` if nothing is there
/// or the process belongs to somebody else.
///
/// The kernel asks who may open the file by the effective uid, as for all of `/proc`. For
/// `process_vm_readv` it would ask by the real one, which a test may have kept for itself.
pub fn read_bytes(process: Process, address: u64, length: usize) -> Option<Vec<u8>> {
    let memory = File::open(format!("/proc/{}/mem", process.pid())).ok()?;
    let mut bytes = vec![0; length];
    let n = memory.read_at(&mut bytes, address).ok()?;
    bytes.truncate(n);
    (n > 0).then_some(bytes)
}

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
