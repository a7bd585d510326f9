//! A descriptor that becomes readable when a process ends: no polling, no mistaken pid.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Refers to one process for good, even after its number was given to another.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Refers to the process that has this number now.
    ///
    /// # Errors
    /// ESRCH if there is none.
    pub fn open(pid: i32) -> io::Result<Self> {
        // SAFETY: pidfd_open takes two integers and touches no memory of ours.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let fd = i32::try_from(fd).map_err(io::Error::other)?;
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Whether the process has ended, reaped or not.
    pub fn has_ended(&self) -> bool {
        let mut fds = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1))
    }

    /// A descriptor of ours for what is open in the process at `number`. Needs the rights of a
    /// debugger.
    ///
    /// # Errors
    /// EBADF if nothing is open there, EPERM without the rights.
    pub fn get_fd(&self, number: i32) -> io::Result<OwnedFd> {
        use std::os::fd::AsRawFd;
        let copy = || {
            // SAFETY: pidfd_getfd takes three integers and touches no memory of ours.
            match unsafe { libc::syscall(libc::SYS_pidfd_getfd, self.0.as_raw_fd(), number, 0) } {
                -1 => Err(io::Error::last_os_error()),
                fd => i32::try_from(fd).map_err(io::Error::other),
            }
        };
        let fd = super::as_debugger(copy)?;
        // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// Sends a signal to it; never to a later process with the same number.
    ///
    /// # Errors
    /// ESRCH if it has ended and was reaped, EPERM if it belongs to another user.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        // SAFETY: a null siginfo is allowed, everything else is an integer.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                signal,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        if sent < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
