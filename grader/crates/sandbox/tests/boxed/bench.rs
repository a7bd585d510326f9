//! What a case needs: a box with this executable in it, and programs started from it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use sandbox::{Bind, BoxSpec, Child, Command, Exit, Level, Sandbox};

/// Where this executable is in the box.
pub(crate) const STUDENT: &str = "/lab/student";

pub(crate) fn spec() -> BoxSpec {
    let source = std::env::current_exe().unwrap();
    let bind = Bind {
        source,
        target: STUDENT.into(),
        writable: false,
    };
    BoxSpec {
        binds: vec![bind],
        ..BoxSpec::default()
    }
}

pub(crate) fn open(level: Level) -> Sandbox {
    Sandbox::open(&spec(), level).unwrap()
}

/// One of the programs of `student.rs`.
pub(crate) fn student(name: &str, args: &[&str]) -> Command {
    // On levels without a private root the executable is where it is.
    let exe = PathBuf::from(STUDENT);
    let exe = if exe.exists() || on_private_root() {
        exe
    } else {
        std::env::current_exe().unwrap()
    };
    let mut command = Command::new(exe);
    command.args = vec!["student".into(), name.into()];
    command.args.extend(args.iter().map(Into::into));
    command
}

/// The room's host name is the only thing that tells from inside a case.
fn on_private_root() -> bool {
    std::fs::read_to_string("/proc/sys/kernel/hostname").is_ok_and(|name| name.trim() == "box")
}

/// The spawn server, as the room sees it: the parent of every program.
pub(crate) fn spawn_server(sandbox: &Sandbox) -> i32 {
    let child = sandbox.spawn(student("sleep", &[])).unwrap();
    let server = parent(child.pid());
    child.signal(libc::SIGKILL).unwrap();
    wait(&child);
    server
}

pub(crate) fn parent(pid: i32) -> i32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    line.unwrap().trim().parse().unwrap()
}

pub(crate) fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args = vec!["-c".into(), script.into()];
    command.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    command
}

/// Long enough for any machine; a case that waits so long has failed.
pub(crate) fn wait(child: &Child) -> Exit {
    child
        .wait_until(Instant::now() + Duration::from_secs(60))
        .expect("a program ends")
}

/// Gives the program a pipe as standard output (and error) and starts it.
pub(crate) fn start(sandbox: &Sandbox, mut command: Command) -> (Child, File) {
    let (reader, writer) = std::io::pipe().unwrap();
    let writer: OwnedFd = writer.into();
    command.fds.push((writer.try_clone().unwrap(), 2));
    command.fds.push((writer, 1));
    let child = sandbox.spawn(command).unwrap();
    (child, File::from(OwnedFd::from(reader)))
}

/// Runs a program to its end and returns what it said.
pub(crate) fn run(sandbox: &Sandbox, command: Command) -> (Exit, String) {
    let (child, mut output) = start(sandbox, command);
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    (wait(&child), said)
}

/// Runs a program that has to succeed.
pub(crate) fn say(sandbox: &Sandbox, command: Command) -> String {
    let (exit, said) = run(sandbox, command);
    assert!(exit.status.success(), "{}: {said}", exit.status);
    said
}

/// Reads until `marker` was said; the program goes on.
pub(crate) fn until(output: &mut File, marker: &str) -> String {
    let mut said = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&said).contains(marker) {
        assert_eq!(
            output.read(&mut byte).unwrap(),
            1,
            "{}",
            String::from_utf8_lossy(&said)
        );
        said.push(byte[0]);
    }
    String::from_utf8(said).unwrap()
}

/// A shell of the machine, started before the box is opened: the room itself is kept to the files
/// of the box afterwards.
pub(crate) struct Outside(std::process::Child);

impl Outside {
    pub(crate) fn start() -> Self {
        let shell = std::process::Command::new("/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Self(shell.unwrap())
    }

    /// Runs a script and returns what it said.
    pub(crate) fn say(mut self, script: &str) -> String {
        let mut input = self.0.stdin.take().unwrap();
        input.write_all(script.as_bytes()).unwrap();
        drop(input);
        let output = self.0.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}
