//! What room and spawn server say to each other: frames of JSON, with descriptors.
//!
//! A frame is a length and that many bytes, on a stream socket: a datagram would have to fit into
//! the socket's buffer, and a command line may be longer than that.

use std::ffi::OsString;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::exec::Failure;
use crate::rlimits::Limit;
use crate::watch::Watched;

/// From the room to the spawn server.
#[derive(Serialize, Deserialize)]
pub(crate) enum Request {
    /// Your ids are mapped: set yourself up.
    Begin,
    /// Start a program.
    Spawn(Box<Spawn>),
    /// Count what runs, kill it, report the ends, and exit.
    Finish,
}

/// A [`crate::Command`] on its way; the descriptors travel beside it, in the order of `fds`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Spawn {
    pub(crate) id: u64,
    pub(crate) argv: Vec<OsString>,
    pub(crate) env: Vec<OsString>,
    pub(crate) cwd: Option<OsString>,
    pub(crate) fds: Vec<RawFd>,
    pub(crate) rlimits: Vec<Limit>,
    pub(crate) umask: u32,
    pub(crate) ignored: Vec<i32>,
    pub(crate) blocked: Vec<i32>,
    /// Its socket comes after the descriptors in `fds`.
    pub(crate) watched: Option<Watched>,
}

/// From the spawn server to the room.
#[derive(Serialize, Deserialize)]
pub(crate) enum Event {
    /// Set up; `landlocked` says whether the kernel has Landlock.
    Ready { landlocked: bool },
    /// Setting up failed.
    Failed { step: String, errno: i32 },
    /// A program runs; its pidfd comes along.
    Started { id: u64, inner_pid: i32 },
    /// A program could not be started.
    NotStarted { id: u64, failure: Failure },
    /// A program ended.
    Ended(Ended),
    /// Everything is dead; so many processes had still been running.
    Finished { survivors: u32 },
}

/// The end of a program: `wait4`'s status and usage.
#[derive(Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) id: u64,
    pub(crate) status: i32,
    pub(crate) user_us: u64,
    pub(crate) system_us: u64,
    pub(crate) max_rss_bytes: u64,
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
}

/// The kernel passes no more descriptors at once (`SCM_MAX_FD`).
pub(crate) const MAX_FDS: usize = 253;

/// Far more than the kernel's limit for arguments and environment, about 2 MiB, can become.
const MAX_FRAME: usize = 32 << 20;

/// One end of the socket between room and spawn server.
#[derive(Debug)]
pub(crate) struct Channel(UnixStream);

impl Channel {
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = UnixStream::pair()?;
        Ok((Self(one), Self(other)))
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Sends one message. `InvalidInput` if it is larger than any program could be started with.
    pub(crate) fn send(&self, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let payload = serde_json::to_vec(message).map_err(io::Error::other)?;
        if payload.len() > MAX_FRAME || fds.len() > MAX_FDS {
            return Err(ErrorKind::InvalidInput.into());
        }
        let length = u32::try_from(payload.len()).expect("checked against MAX_FRAME");
        let mut frame = length.to_le_bytes().to_vec();
        frame.extend(payload);

        let fds: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&fds)];
        let mut rights: &[_] = if fds.is_empty() { &[] } else { &rights };
        let mut rest = &frame[..];
        while !rest.is_empty() {
            let bytes = [IoSlice::new(rest)];
            // The other end may be gone, and that must not raise SIGPIPE.
            let flags = MsgFlags::MSG_NOSIGNAL;
            match sendmsg::<()>(self.0.as_raw_fd(), &bytes, rights, flags, None) {
                Ok(n_bytes) => {
                    rest = &rest[n_bytes..];
                    rights = &[]; // they went with the first byte
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// Receives one message and its descriptors; `None` once the other end is closed.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut header = [0; 4];
        let Some(fds) = self.receive_header(&mut header)? else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(header) as usize;
        if length > MAX_FRAME {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut payload = vec![0; length];
        (&self.0).read_exact(&mut payload)?;
        let message = serde_json::from_slice(&payload).map_err(io::Error::other)?;
        Ok(Some((message, fds)))
    }

    fn receive_header(&self, header: &mut [u8; 4]) -> io::Result<Option<Vec<OwnedFd>>> {
        let mut space = nix::cmsg_space!([RawFd; MAX_FDS]);
        let mut fds = Vec::new();
        let n_bytes = loop {
            let mut bytes = [IoSliceMut::new(header)];
            let flags = MsgFlags::MSG_CMSG_CLOEXEC;
            match recvmsg::<()>(self.0.as_raw_fd(), &mut bytes, Some(&mut space), flags) {
                Ok(received) => {
                    for rights in received.cmsgs()? {
                        if let ControlMessageOwned::ScmRights(numbers) = rights {
                            // SAFETY: the kernel just made these descriptors, for us alone.
                            let own = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
                            fds.extend(numbers.into_iter().map(own));
                        }
                    }
                    break received.bytes;
                }
                Err(Errno::EINTR) => {}
                Err(Errno::ECONNRESET) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        };
        if n_bytes == 0 {
            return Ok(None);
        }
        (&self.0).read_exact(&mut header[n_bytes..])?;
        Ok(Some(fds))
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl std::os::fd::AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
