//! Makes a shorter call in place of a program.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};

use crate::inject::Target;
use crate::inject::borrow::borrow;
use crate::inject::memory::Buffers;
use crate::inject::notify::{Announced, Answer, Listener};
use crate::proc::{PidFd, Process, read_u64};

/// A call to be made for a program.
pub(crate) struct Proxy {
    listener: Arc<Listener>,
    announced: Announced,
    process: Process,
    buffers: Buffers,
    length: usize,
    fd: OwnedFd,
    way: Way,
}

/// Which way the bytes go, and by which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Read,
    Write,
    Receive(i32),
    Send(i32),
}

/// How often a call that cannot be made yet looks whether its program still waits for it.
const STILL_THERE: u8 = 20;

impl Proxy {
    /// Whether it can make such a call: not one with an address or with control data.
    pub(crate) fn can_make(process: Process, call: i64, args: &[u64; 6]) -> bool {
        Way::of(process, call, args).is_some()
    }

    /// Gets everything that it takes to move at most `length` bytes for the program.
    pub(crate) fn new(
        listener: Arc<Listener>,
        announced: Announced,
        process: Process,
        target: &Target,
        length: usize,
    ) -> io::Result<Self> {
        let call = announced.call();
        let cannot = |why: &str| io::Error::new(io::ErrorKind::Unsupported, why);
        let way = Way::of(process, call, &announced.args)
            .ok_or_else(|| cannot("a call with an address or with control data"))?;
        let buffers = Buffers::of(process, call, &announced.args)
            .ok_or_else(|| cannot("its buffers cannot be read"))?;
        let number = target.fd.ok_or_else(|| cannot("it names no descriptor"))?;
        let fd = borrow(process, number, target)?;
        Ok(Self {
            listener,
            announced,
            process,
            buffers,
            length,
            fd,
            way,
        })
    }

    /// Makes the call in a thread of its own, for it may block, and answers. `told` hears how
    /// many bytes went, or the error.
    pub(crate) fn start(self, told: impl FnOnce(Result<usize, Errno>) + Send + 'static) {
        thread::spawn(move || self.run(told));
    }

    fn run(self, told: impl FnOnce(Result<usize, Errno>)) {
        let Self {
            listener,
            announced,
            process,
            buffers,
            length,
            fd,
            way,
        } = self;
        if !until_possible(&fd, way, || listener.is_waiting(announced.id)) {
            return; // it was killed, and nobody waits for an answer
        }
        let done = match way {
            Way::Read | Way::Receive(_) => take(&fd, way, length).and_then(|bytes| {
                let stored = buffers.store(process, &bytes);
                stored.map(|()| bytes.len()).map_err(|_| Errno::EFAULT)
            }),
            Way::Write | Way::Send(_) => (buffers.load(process, length))
                .map_err(|_| Errno::EFAULT)
                .and_then(|bytes| give(&fd, way, &bytes)),
        };
        // Nobody may find an end of the pipe still open because of us.
        drop(fd);
        let raises_sigpipe = match way {
            Way::Write => true,
            Way::Send(flags) => flags & libc::MSG_NOSIGNAL == 0,
            Way::Read | Way::Receive(_) => false,
        };
        if done == Err(Errno::EPIPE)
            && raises_sigpipe
            && let Ok(pidfd) = PidFd::open(process.pid())
        {
            let _ = pidfd.signal(libc::SIGPIPE);
        }
        told(done);
        listener.answer(
            announced.id,
            match done {
                Ok(n_bytes) => Answer::Return(n_bytes as i64),
                Err(errno) => Answer::Fail(errno as i32),
            },
        );
    }
}

impl Way {
    fn of(process: Process, call: i64, args: &[u64; 6]) -> Option<Self> {
        let flags = args[3] as i32;
        match call {
            libc::SYS_read | libc::SYS_readv => Some(Self::Read),
            libc::SYS_write | libc::SYS_writev => Some(Self::Write),
            libc::SYS_recvfrom if args[4] == 0 => Some(Self::Receive(flags)),
            libc::SYS_sendto if args[4] == 0 => Some(Self::Send(flags)),
            libc::SYS_recvmsg | libc::SYS_sendmsg => {
                // The first and the fifth word of a msghdr: address and control data.
                let is_plain = [0, 32].map(|offset| read_u64(process, args[1] + offset));
                let flags = args[2] as i32;
                match is_plain == [Some(0), Some(0)] {
                    true if call == libc::SYS_recvmsg => Some(Self::Receive(flags)),
                    true => Some(Self::Send(flags)),
                    false => None,
                }
            }
            _ => None,
        }
    }
}

/// Waits until the call need not wait; at once if it would not wait anyway. False if the program
/// that it is for has gone.
fn until_possible(fd: &OwnedFd, way: Way, is_waiting: impl Fn() -> bool) -> bool {
    let flags = fcntl(fd, FcntlArg::F_GETFL).map(OFlag::from_bits_truncate);
    let refuses_to_wait = match way {
        Way::Receive(flags) | Way::Send(flags) => flags & libc::MSG_DONTWAIT != 0,
        Way::Read | Way::Write => false,
    };
    if refuses_to_wait || flags.is_ok_and(|flags| flags.contains(OFlag::O_NONBLOCK)) {
        return is_waiting();
    }
    let events = match way {
        Way::Read | Way::Receive(_) => PollFlags::POLLIN,
        Way::Write | Way::Send(_) => PollFlags::POLLOUT,
    };
    loop {
        let mut fds = [PollFd::new(fd.as_fd(), events)];
        let ready = poll(&mut fds, STILL_THERE);
        if !is_waiting() {
            return false;
        }
        if matches!(ready, Ok(1..)) {
            return true;
        }
    }
}

fn take(fd: &OwnedFd, way: Way, length: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; length];
    let (fd, start) = (fd.as_raw_fd(), bytes.as_mut_ptr().cast());
    let n_bytes = match way {
        // SAFETY: `bytes` has room for `length` bytes.
        Way::Receive(flags) => unsafe { libc::recv(fd, start, length, flags) },
        // SAFETY: as above.
        _ => unsafe { libc::read(fd, start, length) },
    };
    bytes.truncate(Errno::result(n_bytes)? as usize);
    Ok(bytes)
}

fn give(fd: &OwnedFd, way: Way, bytes: &[u8]) -> Result<usize, Errno> {
    let (fd, start) = (fd.as_raw_fd(), bytes.as_ptr().cast());
    let n_bytes = match way {
        // SAFETY: `bytes` is as long as it says.
        Way::Send(flags) => unsafe {
            libc::send(fd, start, bytes.len(), flags | libc::MSG_NOSIGNAL)
        },
        // SAFETY: as above.
        _ => unsafe { libc::write(fd, start, bytes.len()) },
    };
    Errno::result(n_bytes).map(|n_bytes| n_bytes as usize)
}
