//! What a box costs: run by hand as `boxed measure`, not by the tests.
//!
//! Every level is a process of its own with an open box, which times one program for each line
//! that it gets. All take turns, so that whatever else the machine does hits them alike.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::Level;

use crate::bench::{open, wait};

const ROUNDS: usize = 300;

/// Prints medians from start to reaped of `true`: without a box, by bubblewrap if it is there,
/// and on every level that `users` are given.
pub(crate) fn run(exe: &Path, users: &[u32]) {
    let mut subjects = vec![
        Subject::Plain(vec!["/bin/true"]),
        Subject::Plain(
            [
                "bwrap",
                "--unshare-all",
                "--die-with-parent",
                "--ro-bind",
                "/",
                "/",
            ]
            .into_iter()
            .chain([
                "--dev",
                "/dev",
                "--proc",
                "/proc",
                "--tmpfs",
                "/tmp",
                "/bin/true",
            ])
            .collect(),
        ),
    ];
    subjects.retain(Subject::works);
    for uid in users {
        for level in Level::ISOLATING {
            if crate::gives(exe, crate::Machine::Whole, *uid, level).is_ok() {
                subjects.push(Subject::open(exe, *uid, level));
            }
        }
    }
    let mut times = vec![Vec::new(); subjects.len()];
    for _ in 0..ROUNDS {
        for (subject, times) in subjects.iter_mut().zip(&mut times) {
            times.push(subject.once());
        }
    }
    for (subject, mut times) in subjects.into_iter().zip(times) {
        times.sort_unstable();
        let (median, tenth) = (times[ROUNDS / 2], times[ROUNDS * 9 / 10]);
        println!(
            "{:24} median {median:9.3?}, 90 % {tenth:9.3?}",
            subject.name()
        );
    }
}

/// One level: says when its box is open, then a number of nanoseconds for each line.
pub(crate) fn serve(level: Level) {
    let sandbox = open(level);
    println!("open");
    for _ in std::io::stdin().lines() {
        let started = Instant::now();
        let child = sandbox.spawn(sandbox::Command::new("/bin/true")).unwrap();
        assert!(wait(&child).status.success());
        println!("{}", started.elapsed().as_nanos());
    }
}

enum Subject {
    Plain(Vec<&'static str>),
    Box {
        name: String,
        _server: Child,
        input: ChildStdin,
        output: BufReader<ChildStdout>,
    },
}

impl Subject {
    fn open(exe: &Path, uid: u32, level: Level) -> Self {
        let mut server = crate::within(exe, crate::Machine::Whole, uid)
            .args(["measure", &level.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        output.read_line(&mut String::new()).unwrap();
        Self::Box {
            name: format!("level {level}, uid {uid}"),
            input: server.stdin.take().unwrap(),
            output,
            _server: server,
        }
    }

    fn works(&self) -> bool {
        let Self::Plain(command) = self else {
            return true;
        };
        let status = Command::new(command[0]).args(&command[1..]).status();
        status.is_ok_and(|status| status.success())
    }

    fn name(&self) -> &str {
        match self {
            Self::Plain(command) => command[0],
            Self::Box { name, .. } => name,
        }
    }

    fn once(&mut self) -> Duration {
        match self {
            Self::Plain(command) => {
                let started = Instant::now();
                let mut command = Command::new(command[0])
                    .args(&command[1..])
                    .spawn()
                    .unwrap();
                assert!(command.wait().unwrap().success());
                started.elapsed()
            }
            Self::Box { input, output, .. } => {
                input.write_all(b"\n").unwrap();
                let mut line = String::new();
                output.read_line(&mut line).unwrap();
                Duration::from_nanos(line.trim().parse().unwrap())
            }
        }
    }
}
