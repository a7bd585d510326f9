//! The descriptors of a process: what each one refers to and how it was opened.

use std::ffi::{CStr, CString};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use super::numbers_in;

/// One open descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fd {
    /// Its number in its process.
    pub number: i32,
    /// What the link in `/proc/PID/fd` reads: a path, `pipe:[INODE]`, `socket:[INODE]`, ...
    pub target: String,
    /// The `O_` flags of the open file, if the kernel tells.
    pub flags: Option<i32>,
    /// The kernel object behind it, if the kernel tells.
    pub object: Option<Object>,
}

/// A kernel object, the same for every descriptor in every process that refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Object {
    /// The device of its inode.
    pub device: u64,
    /// The number of its inode.
    pub inode: u64,
    /// Whether it is a pipe, with a name or without.
    pub is_pipe: bool,
    /// Whether it is a socket.
    pub is_socket: bool,
}

impl Fd {
    /// Whether it can be read from.
    pub fn can_read(&self) -> bool {
        self.flags
            .is_some_and(|flags| flags & libc::O_ACCMODE != libc::O_WRONLY)
    }

    /// Whether it can be written to.
    pub fn can_write(&self) -> bool {
        self.flags
            .is_some_and(|flags| flags & libc::O_ACCMODE != libc::O_RDONLY)
    }

    /// Whether execve(2) closes it.
    pub fn is_close_on_exec(&self) -> bool {
        self.flags.is_some_and(|flags| flags & libc::O_CLOEXEC != 0)
    }

    /// Whether a call on it returns instead of waiting.
    pub fn is_nonblocking(&self) -> bool {
        self.flags
            .is_some_and(|flags| flags & libc::O_NONBLOCK != 0)
    }

    /// The inode in `pipe:[INODE]` or `socket:[INODE]`.
    pub fn inode(&self) -> Option<u64> {
        self.target
            .split_once(":[")?
            .1
            .strip_suffix(']')?
            .parse()
            .ok()
    }

    pub(super) fn read(pid: i32, number: i32) -> Option<Fd> {
        let link = format!("/proc/{pid}/fd/{number}");
        let target = fs::read_link(&link).ok()?.to_string_lossy().into_owned();
        Some(Fd {
            number,
            target,
            flags: flags(pid, number),
            object: object(&link),
        })
    }
}

/// Everything in `/proc/PID/fd`.
pub(super) fn read(pid: i32) -> Option<Vec<Fd>> {
    let folder = format!("/proc/{pid}/fd");
    fs::read_dir(&folder).ok()?;
    let mut fds: Vec<Fd> = numbers_in(folder)
        .filter_map(|fd| Fd::read(pid, fd))
        .collect();
    fds.sort_by_key(|fd| fd.number);
    Some(fds)
}

/// The numbers in `/proc/PID/fd` with what their links read, and nothing else of them.
pub(super) fn targets(pid: i32) -> Vec<(i32, PathBuf)> {
    numbers_in(format!("/proc/{pid}/fd"))
        .filter_map(|fd| Some((fd, fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?)))
        .collect()
}

/// What the kernel calls the protocol of a socket: `TCP`, `UDPv6`, `UNIX-STREAM`, ...
pub(super) fn protocol(pid: i32, number: i32) -> Option<String> {
    let link = CString::new(format!("/proc/{pid}/fd/{number}")).ok()?;
    let mut name = [0_u8; 64];
    // SAFETY: two strings that end with a zero byte, and a buffer with its length.
    let length = unsafe {
        libc::getxattr(
            link.as_ptr(),
            c"system.sockprotoname".as_ptr(),
            name.as_mut_ptr().cast(),
            name.len(),
        )
    };
    let name = name.get(..usize::try_from(length).ok()?)?;
    let name = CStr::from_bytes_until_nul(name).ok()?;
    Some(name.to_string_lossy().into_owned())
}

fn flags(pid: i32, number: i32) -> Option<i32> {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).ok()?;
    let octal = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    i32::from_str_radix(octal.trim(), 8).ok()
}

pub(super) fn object(link: &str) -> Option<Object> {
    let metadata = fs::metadata(link).ok()?;
    Some(Object {
        device: metadata.dev(),
        inode: metadata.ino(),
        is_pipe: metadata.file_type().is_fifo(),
        is_socket: metadata.file_type().is_socket(),
    })
}
