//! A descriptor of ours for what another process has open, and the user id that such things take.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;

use nix::unistd::Uid;

use crate::inject::{On, Target};
use crate::proc::{Fd, PidFd, Process};

/// Borrows descriptor `number` of a process whose call is waiting.
///
/// Copying it takes the rights of a debugger, which the kernel looks for in the *real* user id.
/// Where a test acts as the programs' user by its effective id only, this thread takes on the
/// real one too, for the moment of the copy. Where even that is refused, a pipe can be opened
/// once more by its link in `/proc`; nothing else can, for it would not be the same open file.
pub(crate) fn borrow(process: Process, number: i32, target: &Target) -> io::Result<OwnedFd> {
    let pidfd = PidFd::open(process.pid())?;
    let error = match pidfd.get_fd(number) {
        Ok(fd) => return Ok(fd),
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => return Err(error),
        Err(error) => error,
    };
    if let Ok(fd) = as_real_user(|| pidfd.get_fd(number)) {
        return Ok(fd);
    }
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

/// Does something with the effective user and group as the real ones, in this thread alone: the
/// library's calls would change all threads. The saved id leads back.
pub(crate) fn as_real_user<T>(action: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let (real, effective) = (Uid::current(), Uid::effective());
    let (real_group, effective_group) = (nix::unistd::getgid(), nix::unistd::getegid());
    if real == effective {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    set_real(libc::SYS_setresgid, effective_group.as_raw())?;
    let done = set_real(libc::SYS_setresuid, effective.as_raw()).and_then(|()| action());
    set_real(libc::SYS_setresuid, real.as_raw())?;
    set_real(libc::SYS_setresgid, real_group.as_raw())?;
    done
}

fn set_real(call: i64, id: u32) -> io::Result<()> {
    const KEEP: u32 = u32::MAX;
    // SAFETY: three plain numbers.
    match unsafe { libc::syscall(call, id, KEEP, KEEP) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
