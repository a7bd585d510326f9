//! The kernel's side of an announced call: receive it, ask whether it still waits, answer it.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

/// `struct seccomp_notif`: a thread stands before a call.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Announced {
    /// Names this one announcement in the answer.
    pub(crate) id: u64,
    /// The calling thread, as our own `/proc` lists it; 0 if it is not in there.
    pub(crate) tid: u32,
    flags: u32,
    number: i32,
    architecture: u32,
    instruction: u64,
    pub(crate) args: [u64; 6],
}

impl Announced {
    /// The number of the call.
    pub(crate) fn call(&self) -> i64 {
        i64::from(self.number)
    }
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// What becomes of an announced call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// It is made as if nobody had watched.
    GoOn,
    /// It is not made, and returns this.
    Return(i64),
    /// It is not made, and fails with this.
    Fail(i32),
    /// It is not made yet. A pending signal is handled, and then the call comes again.
    SignalFirst,
}

const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;
const ID_VALID: libc::c_ulong = 0x4008_2102;
const CONTINUE: u32 = 1;

/// The kernel's own word for "make this call again once the signal is handled".
const ERESTARTNOINTR: i32 = 513;

/// Where the calls of one program and of all it starts are announced.
#[derive(Debug)]
pub(crate) struct Listener(OwnedFd);

impl Listener {
    /// Takes the listener that the program-to-be sends; `None` if it ended before that.
    pub(crate) fn take(socket: &UnixStream) -> io::Result<Option<Self>> {
        let mut byte = [0];
        let mut bytes = [IoSliceMut::new(&mut byte)];
        let mut space = nix::cmsg_space!(RawFd);
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(socket.as_raw_fd(), &mut bytes, Some(&mut space), flags)?;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(fds) = control
                && let [fd] = fds[..]
            {
                // SAFETY: the kernel just made this descriptor, for us alone.
                return Ok(Some(Self(unsafe { OwnedFd::from_raw_fd(fd) })));
            }
        }
        Ok(None)
    }

    /// The next announcement; `None` if the thread that made it has gone meanwhile.
    pub(crate) fn receive(&self) -> io::Result<Option<Announced>> {
        let mut announced = Announced::default();
        // SAFETY: under this request the kernel fills a `seccomp_notif`, which must be zeroed.
        let done = unsafe { libc::ioctl(self.0.as_raw_fd(), RECEIVE, &raw mut announced) };
        match Errno::result(done) {
            Ok(_) => Ok(Some(announced)),
            Err(Errno::ENOENT | Errno::EINTR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether the call still waits for its answer: its thread may have been killed, and its
    /// number given to another.
    pub(crate) fn is_waiting(&self, id: u64) -> bool {
        // SAFETY: under this request the kernel reads one u64.
        unsafe { libc::ioctl(self.0.as_raw_fd(), ID_VALID, &raw const id) == 0 }
    }

    /// Answers. A thread that has gone needs no answer.
    pub(crate) fn answer(&self, id: u64, answer: Answer) {
        let (value, error, flags) = match answer {
            Answer::GoOn => (0, 0, CONTINUE),
            Answer::Return(value) => (value, 0, 0),
            Answer::Fail(errno) => (0, -errno, 0),
            Answer::SignalFirst => (0, -ERESTARTNOINTR, 0),
        };
        let response = Response {
            id,
            value,
            error,
            flags,
        };
        // SAFETY: under this request the kernel reads a `seccomp_notif_resp`.
        unsafe { libc::ioctl(self.0.as_raw_fd(), SEND, &raw const response) };
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
