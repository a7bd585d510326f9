//! When a box ends, nothing of it goes on, and what was left is named.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sandbox::{Command, Level, Sandbox};

use crate::bench::{open, parent, say, shell, start, student, until, wait};
use crate::{Case, cases};

/// For levels with namespaces.
pub(crate) const CELL: &[Case] = cases![cgroups_are_removed];

/// For every level that isolates.
pub(crate) const CASES: &[Case] = cases![ipc_objects_left_behind_are_named];

/// For every level.
pub(crate) const ANYWHERE: &[Case] = cases![
    nothing_is_left_of_a_tidy_program,
    survivors_are_counted_and_killed,
    zombies_are_no_survivors,
    daemons_are_killed,
    dropping_a_box_kills_its_programs,
    killing_the_room_kills_the_programs,
    a_box_needs_a_process_with_one_thread,
];

fn nothing_is_left_of_a_tidy_program(level: Level) {
    let sandbox = open(level);
    let said = say(&sandbox, shell("echo hello > file; cat file; rm file"));
    assert_eq!(said, "hello\n");
    let leftovers = sandbox.close();
    assert_eq!((leftovers.processes, leftovers.ipc), (0, vec![]));
}

fn survivors_are_counted_and_killed(level: Level) {
    let sandbox = open(level);
    let child = sandbox.spawn(student("sleep", &[])).unwrap();
    let (parent, mut output) = start(&sandbox, shell("sleep 1000 & sleep 1000 & echo both."));
    until(&mut output, "both.");
    wait(&parent);
    assert!(child.exit().is_none());
    assert_eq!(sandbox.close().processes, 3);
    assert_eq!(child.exit().unwrap().status.signal(), Some(libc::SIGKILL));
    std::io::read_to_string(output).unwrap(); // its end comes only with the last writer's
}

fn zombies_are_no_survivors(level: Level) {
    let sandbox = open(level);
    let (_, mut output) = start(&sandbox, student("zombie", &[]));
    until(&mut output, "zombie.");
    assert_eq!(sandbox.close().processes, 1);
}

fn daemons_are_killed(level: Level) {
    let sandbox = open(level);
    let (child, mut output) = start(&sandbox, student("daemon", &[]));
    until(&mut output, "daemon.");
    assert!(wait(&child).status.success());
    assert_eq!(sandbox.close().processes, 1);
    std::io::read_to_string(output).unwrap();
}

fn dropping_a_box_kills_its_programs(level: Level) {
    let sandbox = open(level);
    let child = sandbox.spawn(student("sleep", &[])).unwrap();
    let pidfd = pidfd(child.pid());
    drop(sandbox);
    assert!(has_ended(&pidfd));
    assert_eq!(child.exit().unwrap().status.signal(), Some(libc::SIGKILL));
}

/// Runs itself: the inner one opens a box, names the pids of its programs, and is killed.
fn killing_the_room_kills_the_programs(level: Level) {
    const INNER: &str = "BOX_TEST_INNER";
    if std::env::var_os(INNER).is_some() {
        let sandbox = open(level);
        let child = sandbox.spawn(student("sleep", &[])).unwrap();
        let (_, mut output) = start(&sandbox, shell("(sleep 1000 & echo $!; exec sleep 1000)"));
        until(&mut output, "\n");
        let init = parent(child.pid());
        // Without namespaces there is a guardian above the spawn server.
        let first = match level {
            Level::D | Level::E => parent(init),
            _ => init,
        };
        let children = fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap();
        println!("{} {first} {init} {children}", sandbox.work_dir().display());
        loop {
            nix::unistd::pause();
        }
    }
    let mut room = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "case",
            &level.to_string(),
            "killing_the_room_kills_the_programs",
        ])
        .env(INNER, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(room.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let (work_dir, pids) = line.split_once(' ').unwrap();
    let pidfds: Vec<OwnedFd> = pids
        .split_whitespace()
        .map(|pid| pidfd(pid.parse().unwrap()))
        .collect();
    assert_eq!(pidfds.len(), 4, "{line}");
    room.kill().unwrap();
    room.wait().unwrap();
    for pidfd in pidfds {
        let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        assert_eq!(
            poll(&mut fds, PollTimeout::from(60_000_u16)),
            Ok(1),
            "it still runs"
        );
    }
    // A folder of the machine's is removed, by the last of the box's processes to end.
    assert!(work_dir == "/tmp" || !std::path::Path::new(work_dir).exists());
}

fn a_box_needs_a_process_with_one_thread(level: Level) {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || receiver.recv());
    let error = Sandbox::open(&crate::bench::spec(), level).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a box must be opened before the process starts threads; it has 2"
    );
    drop(sender);
    let _ = other.join().unwrap();
}

/// On levels that share the machine's names, they are removed as well.
fn ipc_objects_left_behind_are_named(level: Level) {
    let sandbox = open(level);
    let file = format!("/dev/shm/ring-{}", std::process::id());
    let folder = format!("/dev/shm/rings-{}", std::process::id());
    let script = format!(
        "echo > {file}; mkdir -p {folder}/a; (umask 777; mkdir {folder}/a/closed); \
         ipcmk -Q -S 1 | grep -o '[0-9]*$'"
    );
    let said = say(&sandbox, shell(&script));
    let ids: Vec<&str> = said.lines().collect();
    let [queue, set] = ids[..] else {
        panic!("{said}")
    };
    let expected = [
        file.clone(),
        folder.clone(),
        format!("System V message queue {queue}"),
        format!("System V semaphore set {set}"),
    ];
    let work_dir = sandbox.work_dir().to_owned();
    say(
        &sandbox,
        shell("mkdir -p a/b; echo > a/b/c; umask 777; mkdir closed; :"),
    );
    let left = sandbox.close().ipc;
    if level >= Level::C {
        assert_eq!(left, expected);
        return;
    }
    assert!(!work_dir.exists());
    if level == Level::E && left.is_empty() {
        // A neighbour of the same user is open, and removes them when it closes.
        println!("another box of this user is open");
        return;
    }
    for name in expected {
        assert!(left.contains(&name), "{name} is not in {left:?}");
    }
    assert!(fs::symlink_metadata(file).is_err() && fs::symlink_metadata(folder).is_err());
    let queues = fs::read_to_string("/proc/sysvipc/msg").unwrap();
    let mut ids = queues
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1));
    assert!(ids.all(|id| id != queue), "{queues}");
}

fn cgroups_are_removed(level: Level) {
    let sandbox = open(level);
    let child = sandbox.spawn(Command::new("/bin/cat")).unwrap();
    let name = format!("/ipc-box-{}", std::process::id());
    let mine = |pid: i32| {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        groups.contains(&name)
    };
    wait(&child);
    let sleeper = sandbox.spawn(student("sleep", &[])).unwrap();
    assert_eq!(mine(sleeper.pid()), level == Level::A);
    sandbox.close();
    for root in [
        "/sys/fs/cgroup",
        "/sys/fs/cgroup/pids",
        "/sys/fs/cgroup/memory",
    ] {
        assert!(
            !std::path::Path::new(&format!("{root}{name}")).exists(),
            "{root}"
        );
    }
}

fn pidfd(pid: i32) -> OwnedFd {
    // SAFETY: plain numbers; the kernel made the descriptor for us alone.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        assert!(fd >= 0, "{}", nix::errno::Errno::last());
        OwnedFd::from_raw_fd(fd as i32)
    }
}

fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO) == Ok(1)
}
