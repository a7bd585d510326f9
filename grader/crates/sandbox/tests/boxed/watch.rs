//! Announced calls reach a listener in the room, on every level and through fork and exec.

use std::fs::File;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::thread;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use sandbox::{Level, Watch};

use crate::bench::{open, run, shell};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    announced_calls_reach_the_listener_through_fork_and_exec,
    calls_that_were_not_chosen_reach_nobody,
];

/// `struct seccomp_notif`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Announced {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    architecture: u32,
    instruction: u64,
    arguments: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Answer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;

/// The call behind mkdir(2), and which of its arguments points to the path.
#[cfg(target_arch = "x86_64")]
const MKDIR: (libc::c_long, usize) = (libc::SYS_mkdir, 0);
#[cfg(not(target_arch = "x86_64"))]
const MKDIR: (libc::c_long, usize) = (libc::SYS_mkdirat, 1);

/// Answers everything with this error and returns the paths of the folders that were to be made.
fn refuse_all(socket: UnixStream, error: Errno) -> Vec<String> {
    let listener = receive(&socket);
    let mut paths = Vec::new();
    loop {
        let mut announced = Announced::default();
        // SAFETY: the kernel fills the structure that it knows under this request.
        let received = unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut announced) };
        match Errno::result(received) {
            Ok(_) => {}
            // The last program that could call anything has gone: the wait ends with an error.
            Err(Errno::EINTR) => continue,
            Err(_) => return paths,
        }
        let memory = File::open(format!("/proc/{}/mem", announced.pid)).unwrap();
        let mut path = [0; 16];
        memory
            .read_at(&mut path, announced.arguments[MKDIR.1])
            .unwrap();
        let end = path.iter().position(|&byte| byte == 0).unwrap();
        paths.push(String::from_utf8_lossy(&path[..end]).into_owned());
        let answer = Answer {
            id: announced.id,
            value: 0,
            error: -(error as i32),
            flags: 0,
        };
        // SAFETY: the kernel reads the structure that it knows under this request.
        Errno::result(unsafe { libc::ioctl(listener.as_raw_fd(), SEND, &raw const answer) })
            .unwrap();
    }
}

fn receive(socket: &UnixStream) -> OwnedFd {
    let mut byte = [0];
    let mut bytes = [IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!(RawFd);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut bytes, Some(&mut space), flags).unwrap();
    let ControlMessageOwned::ScmRights(fds) = message.cmsgs().unwrap().next().unwrap() else {
        panic!("no descriptor came");
    };
    // SAFETY: the kernel just made this descriptor, for us alone.
    unsafe { OwnedFd::from_raw_fd(fds[0]) }
}

fn announced_calls_reach_the_listener_through_fork_and_exec(level: Level) {
    let sandbox = open(level);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut command = shell("mkdir one; mkdir two; (mkdir three)");
    command.watch = Some(Watch {
        calls: vec![MKDIR.0],
        socket: theirs.into(),
        cpu: Some(0),
    });
    let listener = thread::spawn(|| refuse_all(ours, Errno::EXDEV));
    let (exit, said) = run(&sandbox, command);
    assert_eq!(exit.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("cross-device link").count(), 3, "{said}");
    assert_eq!(listener.join().unwrap(), ["one", "two", "three"]);
    assert!(!sandbox.work_dir().join("one").exists());
}

fn calls_that_were_not_chosen_reach_nobody(level: Level) {
    let sandbox = open(level);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut command = shell("mkdir one && rmdir one && echo done");
    // Many, to reach over the longest jump of the filter; sending, to have the listener sent.
    let mut calls: Vec<i64> = (1000..1199).collect();
    calls.push(libc::SYS_sendmsg);
    command.watch = Some(Watch {
        calls,
        socket: theirs.into(),
        cpu: None,
    });
    let listener = thread::spawn(|| refuse_all(ours, Errno::EXDEV));
    let (_, said) = run(&sandbox, command);
    assert_eq!(said, "done\n");
    assert!(listener.join().unwrap().is_empty());
}
