//! What a call is about: the object behind its descriptor, or the path it names.

use std::fs;
use std::os::unix::fs::FileTypeExt;

use crate::proc::{Process, read_path};

/// The object of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The descriptor, if the call names one.
    pub fd: Option<i32>,
    /// `pipe:[INODE]`, `socket:[INODE]`, or a path.
    pub name: String,
    /// What kind of object it is.
    pub on: On,
}

/// A kind of object, to say which calls are meant: `read().on(pipe())`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum On {
    /// A pipe without a name.
    Pipe,
    /// A pipe with a name.
    Fifo,
    /// A socket of any family.
    Socket,
    /// A file, a folder or a device.
    File,
    /// Anything else: an eventfd, an epoll instance, ...
    Other,
}

/// Pipes without a name.
pub fn pipe() -> On {
    On::Pipe
}

/// Named pipes.
pub fn fifo() -> On {
    On::Fifo
}

/// Sockets.
pub fn socket() -> On {
    On::Socket
}

/// Files, folders and devices.
pub fn file() -> On {
    On::File
}

impl On {
    /// What a message calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pipe => "pipe",
            Self::Fifo => "FIFO",
            Self::Socket => "socket",
            Self::File => "file",
            Self::Other => "object",
        }
    }
}

impl Target {
    /// The target of a call that `thread` is about to make.
    pub(crate) fn of(thread: Process, call: i64, args: &[u64; 6]) -> Option<Self> {
        if NAMES_A_DESCRIPTOR.contains(&call) {
            return Self::behind(thread, args[0] as i32);
        }
        let (_, argument) = NAMES_A_PATH.iter().find(|(named, _)| *named == call)?;
        let name = read_path(thread, args[*argument])?;
        let seen = match name.starts_with('/') {
            true => format!("/proc/{}/root{name}", thread.pid()),
            false => format!("/proc/{}/cwd/{name}", thread.pid()),
        };
        let on = match is_fifo(&seen) {
            true => On::Fifo,
            false => On::File,
        };
        Some(Self { fd: None, name, on })
    }

    fn behind(thread: Process, fd: i32) -> Option<Self> {
        let link = format!("/proc/{}/fd/{fd}", thread.pid());
        let name = fs::read_link(&link).ok()?.to_string_lossy().into_owned();
        let on = match name.split_once(':') {
            // Nobody makes FIFOs among the devices, and asking costs a call.
            _ if name.starts_with("/dev/") && !name.starts_with("/dev/shm/") => On::File,
            _ if name.starts_with('/') && is_fifo(&link) => On::Fifo,
            _ if name.starts_with('/') => On::File,
            Some(("pipe", _)) => On::Pipe,
            Some(("socket", _)) => On::Socket,
            _ => On::Other,
        };
        Some(Self {
            fd: Some(fd),
            name,
            on,
        })
    }

    /// Whether it is the system's: what the loader and the libraries read before `main`, and
    /// where programs are looked for, is no work of the program's own.
    pub(crate) fn is_of_the_system(&self) -> bool {
        const FOLDERS: [&str; 7] = [
            "/lib",
            "/usr/lib",
            "/etc",
            "/proc",
            "/sys",
            "/usr/share",
            "/dev/urandom",
        ];
        self.on == On::File && FOLDERS.iter().any(|folder| self.name.starts_with(folder))
    }
}

fn is_fifo(path: &str) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// Their first argument is a descriptor.
const NAMES_A_DESCRIPTOR: &[i64] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_lseek,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_listen,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_dup2,
];

/// Which of their arguments is a path.
const NAMES_A_PATH: &[(i64, usize)] = &[
    (libc::SYS_execve, 0),
    (libc::SYS_openat, 1),
    (libc::SYS_unlinkat, 1),
    (libc::SYS_mknodat, 1),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 0),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_unlink, 0),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mknod, 0),
];
