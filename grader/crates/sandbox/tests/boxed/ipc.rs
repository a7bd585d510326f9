//! IPC between test and programs, and among programs, is as on a bare machine.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZero;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;

use nix::fcntl::OFlag;
use nix::mqueue::{MQ_OFlag, MqAttr, mq_open, mq_receive, mq_send};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, shm_open};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use sandbox::{Level, Sandbox};

use crate::bench::{self, open, run, say, shell, start, student, until, wait};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    a_fifo_of_the_test_is_open_to_a_program,
    a_fifo_of_a_program_is_open_to_the_test,
    shared_memory_and_semaphores_have_the_same_names,
    message_queues_have_the_same_names,
    system_v_keys_are_the_same,
    loopback_works_both_ways,
    unix_sockets_work_both_ways_and_show_one_user,
    two_programs_talk_through_a_fifo,
    two_programs_signal_each_other,
    a_default_sigterm_kills,
    a_broken_pipe_kills,
];

/// For levels where programs have a `/proc`.
pub(crate) const WITH_PROC: &[Case] = cases![an_orphan_belongs_to_the_spawn_server];

const OWNER_ONLY: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

fn a_fifo_of_the_test_is_open_to_a_program(level: Level) {
    let sandbox = open(level);
    let [to, from] = ["in", "out"].map(|name| path(&sandbox, name));
    mkfifo(&*to, OWNER_ONLY).unwrap();
    mkfifo(&*from, OWNER_ONLY).unwrap();
    let child = sandbox.spawn(student("echo-fifo", &[&to, &from])).unwrap();
    fs::write(to, "hello").unwrap();
    assert_eq!(fs::read_to_string(from).unwrap(), "hello");
    assert!(wait(&child).status.success());
}

fn a_fifo_of_a_program_is_open_to_the_test(level: Level) {
    let sandbox = open(level);
    say(&sandbox, shell("umask 077; mkfifo hub; echo shy > file"));
    let child = sandbox.spawn(shell("echo hello > hub")).unwrap();
    // O_CREAT on somebody else's file in a sticky folder is what fs.protected_* forbid.
    let mut hub = File::options()
        .create(true)
        .append(true)
        .read(true)
        .open(path(&sandbox, "hub"))
        .unwrap();
    let mut said = [0; 6];
    hub.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"hello\n");
    assert!(wait(&child).status.success());
    File::options()
        .create(true)
        .append(true)
        .open(path(&sandbox, "file"))
        .unwrap();
}

fn shared_memory_and_semaphores_have_the_same_names(level: Level) {
    let sandbox = open(level);
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL;
    let counter = name("counter");
    let fd = shm_open(&*counter, flags, OWNER_ONLY).unwrap();
    nix::unistd::ftruncate(&fd, 4096).unwrap();
    let (read_write, length) = (
        ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
        NonZero::new(4096),
    );
    let name = CString::new(&*counter).unwrap();
    // SAFETY: the object is 4096 bytes large; nobody else writes while the program waits.
    unsafe {
        let map = mmap(
            None,
            length.unwrap(),
            read_write,
            MapFlags::MAP_SHARED,
            &fd,
            0,
        )
        .unwrap();
        let count = map.cast::<u8>().as_ptr();
        *count = 41;
        let semaphore = libc::sem_open(name.as_ptr(), libc::O_CREAT, 0o600, 0);
        assert!(!semaphore.is_null());
        let child = sandbox.spawn(student("shm", &[&counter])).unwrap();
        assert_eq!(libc::sem_wait(semaphore), 0);
        assert_eq!(count.read_volatile(), 42);
        assert!(wait(&child).status.success());
    }
}

fn message_queues_have_the_same_names(level: Level) {
    // Landlock goes by where a file system is mounted, and nobody on this level may mount one.
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    if level == Level::E && !mounts.contains(" mqueue ") {
        println!("not on this machine: /dev/mqueue is not mounted");
        return;
    }
    let sandbox = open(level);
    let flags = MQ_OFlag::O_RDWR | MQ_OFlag::O_CREAT;
    let size = MqAttr::new(0, 4, 64, 0);
    let [to_name, back_name] = ["to", "back"].map(name);
    let to = mq_open(&*to_name, flags, OWNER_ONLY, Some(&size)).unwrap();
    let back = mq_open(&*back_name, flags, OWNER_ONLY, Some(&size)).unwrap();
    let child = sandbox
        .spawn(student("mq", &[&to_name, &back_name]))
        .unwrap();
    mq_send(&to, b"hello", 7).unwrap();
    let (mut message, mut priority) = (vec![0; 64], 0);
    assert_eq!(mq_receive(&back, &mut message, &mut priority), Ok(5));
    assert_eq!((&message[..5], priority), (&b"hello"[..], 7));
    assert!(wait(&child).status.success());
    let expected = [back_name, to_name].map(|name| format!("/dev/mqueue{name}"));
    assert_left(sandbox, &expected);
}

fn system_v_keys_are_the_same(level: Level) {
    let sandbox = open(level);
    let key = std::process::id();
    // SAFETY: attaches a new segment of 4096 bytes.
    let (id, segment) = unsafe {
        let flags = libc::IPC_CREAT | libc::IPC_EXCL | 0o600;
        let id = libc::shmget(key.cast_signed(), 4096, flags);
        assert!(id >= 0);
        (id, libc::shmat(id, std::ptr::null(), 0).cast::<u8>())
    };
    say(&sandbox, student("sysv", &[&key.to_string()]));
    // SAFETY: attached above.
    assert_eq!(unsafe { segment.read_volatile() }, 1);
    assert_left(sandbox, &[format!("System V shared memory segment {id}")]);
}

fn loopback_works_both_ways(level: Level) {
    let sandbox = open(level);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let child = sandbox.spawn(student("connect", &[&address])).unwrap();
    assert_echo(listener.accept().unwrap().0);
    assert!(wait(&child).status.success());

    let (child, mut output) = start(&sandbox, student("listen", &["localhost:0"]));
    let said = until(&mut output, ".");
    let port = said
        .trim_start_matches("port ")
        .trim_end_matches('.')
        .parse::<u16>()
        .unwrap();
    assert_echo(TcpStream::connect(("127.0.0.1", port)).unwrap());
    assert!(wait(&child).status.success());
}

fn unix_sockets_work_both_ways_and_show_one_user(level: Level) {
    let sandbox = open(level);
    let [ours, theirs] = ["ours", "theirs"].map(|name| path(&sandbox, name));
    let listener = UnixListener::bind(&ours).unwrap();
    let child = sandbox.spawn(student("unix-connect", &[&ours])).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let peer = getsockopt(&stream, PeerCredentials).unwrap();
    assert_eq!(
        (peer.pid(), peer.uid()),
        (child.pid(), nix::unistd::geteuid().as_raw())
    );
    assert_echo(stream);
    assert!(wait(&child).status.success());

    let (child, mut output) = start(&sandbox, student("unix-listen", &[&theirs]));
    until(&mut output, "ready.");
    assert_echo(UnixStream::connect(theirs).unwrap());
    assert!(wait(&child).status.success());
}

fn two_programs_talk_through_a_fifo(level: Level) {
    let sandbox = open(level);
    say(&sandbox, shell("mkfifo talk"));
    let talker = sandbox.spawn(shell("echo from one > talk")).unwrap();
    assert_eq!(
        say(&sandbox, shell("read line < talk; echo $line")),
        "from one\n"
    );
    assert!(wait(&talker).status.success());
}

fn two_programs_signal_each_other(level: Level) {
    let sandbox = open(level);
    let victim = sandbox.spawn(student("sleep", &[])).unwrap();
    say(
        &sandbox,
        shell(&format!("kill -USR1 {}", victim.inner_pid())),
    );
    assert_eq!(wait(&victim).status.signal(), Some(libc::SIGUSR1));
}

fn a_default_sigterm_kills(level: Level) {
    let sandbox = open(level);
    let (exit, _) = run(&sandbox, shell("kill -TERM $$"));
    assert_eq!(exit.status.signal(), Some(libc::SIGTERM));
    let victim = sandbox.spawn(student("sleep", &[])).unwrap();
    victim.signal(libc::SIGTERM).unwrap();
    assert_eq!(wait(&victim).status.signal(), Some(libc::SIGTERM));
}

fn a_broken_pipe_kills(level: Level) {
    let sandbox = open(level);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut yes = shell("exec yes");
    yes.fds.push((writer.into(), 1));
    let child = sandbox.spawn(yes).unwrap();
    assert_eq!(wait(&child).status.signal(), Some(libc::SIGPIPE));
}

fn an_orphan_belongs_to_the_spawn_server(level: Level) {
    let sandbox = open(level);
    // The subshell waits until its parent has gone, then lets a child of its own name its parent.
    let script = "(read _ < gate; sh -c 'grep PPid: /proc/$PPID/status'; :) &";
    say(&sandbox, shell("mkfifo gate"));
    let (child, mut output) = start(&sandbox, shell(script));
    let server = bench::spawn_server(&sandbox);
    wait(&child);
    File::options()
        .write(true)
        .open(path(&sandbox, "gate"))
        .unwrap()
        .write_all(b"go\n")
        .unwrap();
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    let expected = if level >= Level::C { 1 } else { server };
    assert_eq!(said, format!("PPid:\t{expected}\n"));
}

/// A file of the work folder: the same path on both sides.
fn path(sandbox: &Sandbox, name: &str) -> String {
    sandbox.work_dir().join(name).to_str().unwrap().to_owned()
}

/// A name that no other case uses, where names are shared with all of them.
fn name(tag: &str) -> String {
    format!("/{tag}-{}", std::process::id())
}

fn assert_left(sandbox: Sandbox, expected: &[String]) {
    let level = sandbox.level();
    let left = sandbox.close().ipc;
    // A neighbour of the same user may still be open, and has to do it then.
    assert!(
        left == expected || level == Level::E && left.is_empty(),
        "{left:?}"
    );
}

fn assert_echo(mut stream: impl Read + Write) {
    let mut said = [0; 5];
    stream.write_all(b"hello").unwrap();
    stream.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"hello");
}
