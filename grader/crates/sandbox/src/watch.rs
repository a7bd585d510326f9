//! Announced system calls: a program that stops at chosen calls until a listener has answered.
//!
//! The kernel calls it seccomp user notification. The filter is put on between fork and exec, by
//! the program-to-be itself, and is inherited by everything it starts; calls that were not chosen
//! run at full speed. It knows nothing of what a listener does with a call.

use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};

use libc::{c_void, sock_filter};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::prctl;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// Which system calls of a program are announced, and to whom.
///
/// The listener arrives as a descriptor beside one byte on the other end of `socket`, before the
/// program executes. Somebody has to answer from then on: the program's own `execve` may be among
/// the calls, and [`crate::Sandbox::spawn`] returns only after it.
///
/// A process can have one listener. Where the caller itself is being watched in this way,
/// starting a program fails with `EBUSY`.
#[derive(Debug)]
pub struct Watch {
    /// Numbers of the calls, 200 at most.
    pub calls: Vec<i64>,
    /// A connected Unix socket.
    pub socket: OwnedFd,
    /// The CPU that the program has to stay on: an announced call costs several times more when
    /// it and its listener are on different ones.
    pub cpu: Option<usize>,
}

/// A [`Watch`] on its way; the socket travels as the last descriptor.
#[derive(Serialize, Deserialize)]
pub(crate) struct Watched {
    pub(crate) calls: Vec<i64>,
    pub(crate) cpu: Option<usize>,
}

/// A jump of a filter reaches no further than 255 instructions.
const MAX_CALLS: usize = 200;

impl Watched {
    /// Puts the filter on the calling process and sends the listener through `socket`.
    pub(crate) fn install(&self, socket: RawFd) -> nix::Result<()> {
        if self.calls.len() > MAX_CALLS {
            return Err(Errno::E2BIG);
        }
        if let Some(cpu) = self.cpu {
            let mut cpus = CpuSet::new();
            cpus.set(cpu)?;
            sched_setaffinity(Pid::from_raw(0), &cpus)?;
        }
        prctl::set_no_new_privs()?;
        let mut letter = Letter::new();
        // Nobody listens before this one message has gone out, so the filter lets it pass. It is
        // known by its address, which no later program can have by intent.
        let message = letter.seal();
        let mut filter = filter(&self.calls, message as u64);
        let listener = listen(&mut filter)?;
        letter.enclose(&listener);
        // No signal interrupts this: all are blocked or still have their default action.
        // SAFETY: the message and all it points to are parts of `letter`.
        Errno::result(unsafe { libc::sendmsg(socket, message, libc::MSG_NOSIGNAL) })?;
        // Exec closes it. Doing so here might already be a call that is announced.
        let _ = listener.into_raw_fd();
        Ok(())
    }
}

/// A message of one byte with room for one descriptor. Once sealed it must not move.
struct Letter {
    message: libc::msghdr,
    bytes: libc::iovec,
    byte: u8,
    /// Aligned as the kernel wants control messages to be.
    control: [u64; 4],
}

impl Letter {
    fn new() -> Box<Self> {
        // SAFETY: all of these are plain numbers and pointers, which may be zero.
        Box::new(unsafe { std::mem::zeroed() })
    }

    fn seal(&mut self) -> *const libc::msghdr {
        self.bytes.iov_base = (&raw mut self.byte).cast::<c_void>();
        self.bytes.iov_len = 1;
        self.message.msg_iov = &raw mut self.bytes;
        self.message.msg_iovlen = 1;
        self.message.msg_control = self.control.as_mut_ptr().cast();
        // SAFETY: computes a length.
        self.message.msg_controllen = unsafe { libc::CMSG_SPACE(FD_BYTES) } as usize;
        &raw const self.message
    }

    fn enclose(&mut self, fd: &OwnedFd) {
        use std::os::fd::AsRawFd;
        // SAFETY: `control` has room for one header and one descriptor, and is aligned for both.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&raw const self.message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(FD_BYTES) as usize;
            libc::CMSG_DATA(header)
                .cast::<RawFd>()
                .write_unaligned(fd.as_raw_fd());
        }
    }
}

const FD_BYTES: u32 = size_of::<RawFd>() as u32;

/// Where a filter finds the number of the call and the halves of its second argument.
const NUMBER: u32 = 0;
const SECOND_ARGUMENT: [u32; 2] = [24, 28];

/// Announces `calls`, except a `sendmsg` of the message at `passes`. Allows everything else;
/// filters that were there before may refuse it all the same.
fn filter(calls: &[i64], passes: u64) -> Vec<sock_filter> {
    let instruction = |code: u32, jt, jf, k| sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let load = |offset| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let unless =
        |value, skip| instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, skip, value);
    let number = |call: i64| u32::try_from(call).unwrap_or(u32::MAX);
    let ret = |value| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, value);
    let mut filter = vec![
        load(NUMBER),
        unless(number(libc::SYS_sendmsg), 6),
        load(SECOND_ARGUMENT[0]),
        unless(passes as u32, 3),
        load(SECOND_ARGUMENT[1]),
        unless((passes >> 32) as u32, 1),
        ret(libc::SECCOMP_RET_ALLOW),
        load(NUMBER),
    ];
    for (index, call) in calls.iter().enumerate() {
        // Over the rest of the list and the `ALLOW` behind it.
        let ahead = u8::try_from(calls.len() - index).expect("at most MAX_CALLS");
        let is_call = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        filter.push(instruction(is_call, ahead, 0, number(*call)));
    }
    filter.push(ret(libc::SECCOMP_RET_ALLOW));
    filter.push(ret(libc::SECCOMP_RET_USER_NOTIF));
    filter
}

/// Installs the filter. A call that a listener has seen is only interrupted by a fatal signal
/// then: otherwise a handler could run in the middle of it and have it announced twice.
fn listen(filter: &mut [sock_filter]) -> nix::Result<OwnedFd> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| Errno::E2BIG)?,
        filter: filter.as_mut_ptr(),
    };
    let flags =
        libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    // SAFETY: the program and its instructions outlive the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    };
    // SAFETY: the kernel just made this descriptor, for us alone.
    Errno::result(fd).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
