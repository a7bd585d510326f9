//! What a box costs: run by hand as `boxed measure`, not by the tests.
//!
//! Three questions, all of them about `/bin/true` from its start to the moment it is reaped.
//! What does a whole box cost: opened, the program run to its end, closed? Grading pays that for
//! each hidden test, in a process that it has anyway; bubblewrap is a program of its own that does
//! the same. What if our box, too, has to be started as a program? And what does one more program
//! cost in a box that is open? All subjects take turns, so that whatever else the machine does hits
//! them alike.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::{BoxSpec, Level, Sandbox};

use crate::bench::{open, wait};

const ROUNDS: usize = 300;

/// All namespaces and a root of its own, which is less than ours: no queues, limits or filters.
const BUBBLEWRAP: [&str; 13] = [
    "bwrap",
    "--unshare-all",
    "--die-with-parent",
    "--ro-bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    "--tmpfs",
    "/tmp",
    "/bin/true",
];

/// Prints medians without a box, by bubblewrap if it is there, and on every level that `users` are
/// given.
pub(crate) fn run(exe: &Path, users: &[u32]) {
    let mut subjects = vec![Subject::program("plain", users[0], &["/bin/true"])];
    for uid in users.iter().copied() {
        let bubblewrap = Subject::program("bubblewrap", uid, &BUBBLEWRAP);
        match bubblewrap.works() {
            true => subjects.push(bubblewrap),
            false => println!("no bubblewrap for uid {uid}: it is not installed, or does not run"),
        }
        for level in Level::ISOLATING {
            if crate::gives(exe, sandbox::Machine::Whole, uid, level).is_ok() {
                subjects.push(Subject::server(
                    "whole box",
                    exe,
                    uid,
                    "measure-whole",
                    level,
                ));
                let program = [exe.to_str().unwrap(), "measure-program", &level.to_string()];
                subjects.push(Subject::program(
                    &format!("as a program, {level}"),
                    uid,
                    &program,
                ));
                subjects.push(Subject::server(
                    "in an open box",
                    exe,
                    uid,
                    "measure",
                    level,
                ));
            }
        }
    }
    let mut times = vec![Vec::new(); subjects.len()];
    // In another order each time: what the kernel tidies up after one slows down the next.
    let order = BuildHasherDefault::<DefaultHasher>::default();
    for round in 0..ROUNDS {
        let mut turns: Vec<usize> = (0..subjects.len()).collect();
        turns.sort_by_key(|at| order.hash_one((round, at)));
        for at in turns {
            times[at].push(subjects[at].once());
        }
    }
    let mut bubblewrap = None;
    for (subject, mut times) in subjects.into_iter().zip(times) {
        times.sort_unstable();
        let (median, tenth) = (times[ROUNDS / 2], times[ROUNDS * 9 / 10]);
        if subject.name == "bubblewrap" {
            bubblewrap = Some(median);
        }
        let ratio = bubblewrap.map_or(String::new(), |base| {
            let ratio = median.as_secs_f64() / base.as_secs_f64();
            format!("  {ratio:.2} of bubblewrap's")
        });
        println!(
            "uid {:<5}  {:20} median {median:9.3?}  90 % {tenth:9.3?}{ratio}",
            subject.uid, subject.name
        );
    }
}

/// One whole box.
pub(crate) fn whole(level: Level) {
    let sandbox = Sandbox::open(&BoxSpec::default(), level).unwrap();
    let child = sandbox.spawn(sandbox::Command::new("/bin/true")).unwrap();
    assert!(wait(&child).status.success());
    sandbox.close();
}

/// One level: says when its box is open, then a number of nanoseconds for each line.
pub(crate) fn serve(level: Level) {
    let sandbox = open(level);
    answer(|| {
        let child = sandbox.spawn(sandbox::Command::new("/bin/true")).unwrap();
        assert!(wait(&child).status.success());
    });
}

/// The same with a whole box for each line, in a copy of this process.
pub(crate) fn serve_whole(level: Level) {
    answer(|| {
        // SAFETY: this process has one thread, so the child may use everything.
        match unsafe { nix::unistd::fork() }.unwrap() {
            nix::unistd::ForkResult::Child => {
                whole(level);
                std::process::exit(0);
            }
            nix::unistd::ForkResult::Parent { child } => {
                let ended = nix::sys::wait::waitpid(child, None);
                assert_eq!(ended, Ok(nix::sys::wait::WaitStatus::Exited(child, 0)));
            }
        }
    });
}

fn answer(mut what: impl FnMut()) {
    println!("ready");
    for _ in std::io::stdin().lines() {
        let started = Instant::now();
        what();
        println!("{}", started.elapsed().as_nanos());
    }
}

/// Something to be timed again and again.
struct Subject {
    name: String,
    uid: u32,
    how: How,
}

enum How {
    /// A program that is started and reaped.
    Program(Vec<String>),
    /// A process that does it once for each line, and says how many nanoseconds it took.
    Server {
        _process: Child,
        input: ChildStdin,
        output: BufReader<ChildStdout>,
    },
}

impl Subject {
    fn program(name: &str, uid: u32, command: &[&str]) -> Self {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        Self {
            name: name.to_owned(),
            uid,
            how: How::Program(command),
        }
    }

    fn server(name: &str, exe: &Path, uid: u32, what: &str, level: Level) -> Self {
        let mut process = crate::within(exe, sandbox::Machine::Whole, uid)
            .args([what, &level.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut String::new()).unwrap();
        Self {
            name: format!("{name}, {level}"),
            uid,
            how: How::Server {
                input: process.stdin.take().unwrap(),
                output,
                _process: process,
            },
        }
    }

    fn works(&self) -> bool {
        let How::Program(command) = &self.how else {
            return true;
        };
        let status = as_user(command, self.uid).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    fn once(&mut self) -> Duration {
        match &mut self.how {
            How::Program(command) => {
                let started = Instant::now();
                let mut process = as_user(command, self.uid).spawn().unwrap();
                assert!(process.wait().unwrap().success());
                started.elapsed()
            }
            How::Server { input, output, .. } => {
                input.write_all(b"\n").unwrap();
                let mut line = String::new();
                output.read_line(&mut line).unwrap();
                Duration::from_nanos(line.trim().parse().unwrap())
            }
        }
    }
}

fn as_user(command: &[String], uid: u32) -> Command {
    let mut process = Command::new(&command[0]);
    process.args(&command[1..]);
    if uid != nix::unistd::geteuid().as_raw() {
        process.uid(uid).gid(uid).current_dir("/");
    }
    process
}
