//! Programs that meet injected faults: each in a careless and in a careful way.

use std::fs::File;
use std::io::{ErrorKind, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::socket::{MsgFlags, recvmsg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pause, read, write};
use sandbox::{BoxSpec, Command, Level, Sandbox, SpawnError, Watch};

pub(crate) fn run(name: &str, args: &[&str]) {
    match (name, args) {
        ("count-input", [care]) => count_input(*care == "careful"),
        ("write-once", [kind]) => write_once(kind),
        ("read-once", [kind]) => read_once(kind),
        ("wait-for-signal", [care]) => wait_for_signal(*care == "careful"),
        ("increment", [path, care]) => increment(path, *care == "careful"),
        ("broken-pipe", []) => broken_pipe(),
        ("read-zeros", [n]) => read_zeros(n.parse().unwrap()),
        ("watch-others", []) => watch_others(),
        ("reap-and-kill", []) => reap_and_kill(),
        ("lives-on", []) => lives_on(),
        ("threads", []) => {
            let (reader, mut writer) = std::io::pipe().unwrap();
            let thread = std::thread::spawn(move || writer.write_all(b"x").unwrap());
            thread.join().unwrap();
            read(reader.as_fd(), &mut [0]).unwrap();
        }
        _ => panic!("no victim {name} {args:?}"),
    }
}

/// Counts the bytes at its standard input, in reads of 10.
fn count_input(is_careful: bool) {
    let mut n_bytes = 0;
    loop {
        match read(std::io::stdin().as_fd(), &mut [0; 10]) {
            Ok(0) => break,
            Ok(n) => n_bytes += n,
            Err(Errno::EINTR) if is_careful => {}
            Err(errno) => return println!("{errno:?} after {n_bytes}"),
        }
    }
    println!("{n_bytes}");
}

fn write_once(kind: &str) {
    let bytes: Vec<u8> = (0..=255).cycle().take(4000).collect();
    let mut back = vec![0; 4000];
    let n_written = match kind {
        "pipe" => {
            let (mut reader, writer) = std::io::pipe().unwrap();
            let n_written = write(writer.as_fd(), &bytes).unwrap();
            let n_read = reader.read(&mut back).unwrap();
            assert_eq!(n_read, n_written);
            n_written
        }
        "socket" => {
            let (mut one, other) = UnixStream::pair().unwrap();
            let n_written = (&other).write(&bytes).unwrap();
            assert_eq!(one.read(&mut back).unwrap(), n_written);
            n_written
        }
        _ => {
            let mut file = File::create(kind).unwrap();
            let n_written = file.write(&bytes).unwrap();
            // The offset has moved by what was written, and by no more.
            file.write_all(b"end").unwrap();
            let content = std::fs::read(kind).unwrap();
            assert_eq!(content.len(), n_written + 3);
            back[..n_written].copy_from_slice(&content[..n_written]);
            n_written
        }
    };
    assert_eq!(back[..n_written], bytes[..n_written]);
    println!("{n_written}");
}

fn read_once(kind: &str) {
    let bytes: Vec<u8> = (0..=255).cycle().take(4000).collect();
    let mut back = vec![0; 4000];
    let n_read = if kind == "pipe" {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&bytes).unwrap();
        read(reader.as_fd(), &mut back).unwrap()
    } else {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        other.write_all(&bytes).unwrap();
        match kind {
            "socket" => one.read(&mut back).unwrap(),
            _ => {
                let mut room = nix::cmsg_space!([i32; 1]);
                let mut buffers = [IoSliceMut::new(&mut back)];
                let (fd, flags) = (one.as_raw_fd(), MsgFlags::empty());
                let message = recvmsg::<()>(fd, &mut buffers, Some(&mut room), flags);
                message.unwrap().bytes
            }
        }
    };
    assert_eq!(back[..n_read], bytes[..n_read]);
    assert!(back[n_read..].iter().all(|byte| *byte == 0));
    println!("{n_read}");
}

/// A short write whose reader has gone dies of SIGPIPE, as any write would.
fn broken_pipe() {
    // SAFETY: the default action is no handler of ours.
    unsafe { nix::sys::signal::signal(Signal::SIGPIPE, SigHandler::SigDfl) }.unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let written = write(writer.as_fd(), &[0; 100]);
    println!("still there: {written:?}");
}

static HAS_COME: AtomicBool = AtomicBool::new(false);

extern "C" fn remember(_: i32) {
    HAS_COME.store(true, Ordering::SeqCst);
}

/// Ends once SIGUSR1 has come. Carelessly it may come between the look and the sleep.
fn wait_for_signal(is_careful: bool) {
    let action = SigAction::new(
        SigHandler::Handler(remember),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handler stores one atomic value.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    if is_careful {
        SigSet::from_iter([Signal::SIGUSR1]).thread_block().unwrap();
    }
    while !HAS_COME.load(Ordering::SeqCst) {
        match is_careful {
            true => SigSet::empty().suspend().unwrap(),
            false => pause(),
        }
    }
    println!("it has come");
}

/// Adds one to the number in a file.
fn increment(path: &str, is_careful: bool) {
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let lock = is_careful.then(|| {
        let copy = file.try_clone().unwrap();
        Flock::lock(copy, FlockArg::LockExclusive).unwrap()
    });
    let mut digit = [0];
    match file.read_exact(&mut digit) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => panic!("no number"),
        result => result.unwrap(),
    }
    digit[0] += 1;
    std::os::unix::fs::FileExt::write_all_at(&file, &digit, 0).unwrap();
    drop(lock);
}

/// A child of its own, stopped if asked for, that exits with 7.
fn child(stops: bool) -> Pid {
    // SAFETY: the child makes two calls that are safe in a copy of any process.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            if stops {
                // SAFETY: takes a number.
                unsafe { libc::raise(libc::SIGSTOP) };
            }
            // SAFETY: runs nothing of the parent's.
            unsafe { libc::_exit(7) }
        }
    }
}

/// Reaps a child by each of the two calls, only looks by one, and asks for a number that is free.
fn reap_and_kill() {
    let (first, second) = (child(false), child(false));
    waitpid(first, None).unwrap();
    let exited = WaitPidFlag::WEXITED;
    waitid(Id::Pid(second), exited | WaitPidFlag::WNOWAIT).unwrap();
    waitid(Id::Pid(second), exited).unwrap();
    assert_eq!(kill(first, None), Err(Errno::ESRCH));
    println!("{first} {second}");
}

static N_CAUGHT: AtomicU32 = AtomicU32::new(0);

/// What a tracer could get wrong: signals without a name, threads, stops, and another program.
fn lives_on() {
    extern "C" fn count(_signal: i32) {
        N_CAUGHT.fetch_add(1, Ordering::SeqCst);
    }
    let signal = libc::SIGRTMIN();
    // SAFETY: the handler only adds to an atomic.
    unsafe { libc::signal(signal, count as *const () as libc::sighandler_t) };
    for _ in 0..3 {
        // SAFETY: takes a number.
        unsafe { libc::raise(signal) };
    }
    print!("{} real-time signals", N_CAUGHT.load(Ordering::SeqCst));
    std::thread::spawn(|| print!(", a thread")).join().unwrap();
    let child = child(true);
    let next = |flags| match waitpid(child, Some(flags)).unwrap() {
        WaitStatus::Stopped(..) => "stopped".to_owned(),
        WaitStatus::Exited(_, code) => format!("exited with {code}"),
        other => format!("{other:?}"),
    };
    print!(", {}", next(WaitPidFlag::WUNTRACED));
    kill(child, Signal::SIGCONT).unwrap();
    print!(", {}", next(WaitPidFlag::empty()));
    let status = std::process::Command::new("/bin/true").status().unwrap();
    println!("{}", if status.success() { ", executed" } else { "" });
}

/// Tries to have somebody else's calls announced.
fn watch_others() {
    let sandbox = Sandbox::open(&BoxSpec::default(), Level::None).unwrap();
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let mut command = Command::new("/bin/true");
    command.watch = Some(Watch {
        calls: Vec::new(),
        socket: theirs.into(),
        cpu: None,
    });
    match sandbox.spawn(command) {
        Err(SpawnError::Watch { errno, .. }) => println!("{errno:?}"),
        other => println!("{other:?}"),
    }
}

/// Makes so many reads of one byte.
fn read_zeros(n_calls: u32) {
    let file = File::open("/dev/zero").unwrap();
    for _ in 0..n_calls {
        read(file.as_fd(), &mut [0]).unwrap();
    }
}
