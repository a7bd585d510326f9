//! A descriptor of ours for what another process has open.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;

use crate::inject::{On, Target};
use crate::proc::{Fd, PidFd, Process};

/// Borrows descriptor `number` of a process whose call is waiting.
///
/// Where the kernel does not let us copy it, a pipe can be opened once more by its link in `/proc`;
/// nothing else can, for it would not be the same open file.
pub(crate) fn borrow(process: Process, number: i32, target: &Target) -> io::Result<OwnedFd> {
    let pidfd = PidFd::open(process.pid())?;
    let error = match pidfd.get_fd(number) {
        Ok(fd) => return Ok(fd),
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => return Err(error),
        Err(error) => error,
    };
    match (target.on, process.fd(number)) {
        (On::Pipe | On::Fifo, Some(fd)) => open_again(process, &fd),
        _ => Err(error),
    }
}

fn open_again(process: Process, fd: &Fd) -> io::Result<OwnedFd> {
    let link = format!("/proc/{}/fd/{}", process.pid(), fd.number);
    let flags = fd.flags.unwrap_or_default() & libc::O_NONBLOCK;
    let mut options = File::options();
    options.read(fd.can_read()).write(fd.can_write());
    options.custom_flags(flags).open(link).map(OwnedFd::from)
}
