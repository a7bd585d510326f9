//! How a program is started in the box: arguments, descriptors, limits.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;

use instruments::explore::STARTS_STOPPED;
use instruments::inject::{Point, Rule};
use instruments::proc::State;
use nix::sys::resource::Resource;
use sandbox::Command;

use crate::bench::Session;
use crate::capture::Capture;
use crate::process::Seen;
use crate::{Check, Done, Probe, Process, Stop, Watch, clock};

/// What a program finds at its standard input.
#[derive(Debug)]
pub enum Input {
    /// /dev/null.
    Null,
    /// A pipe that the test feeds.
    Pipe,
    /// A descriptor of the test's choice.
    Fd(OwnedFd),
}

/// What a program finds at its standard output or error.
#[derive(Debug)]
pub enum Output {
    /// /dev/null.
    Null,
    /// A pipe that is read into memory, up to the test's cap.
    Capture,
    /// A descriptor of the test's choice.
    Fd(OwnedFd),
}

/// A program about to be started in the box.
///
/// It starts with default signal dispositions, an empty mask, three standard descriptors and
/// those given here; nothing else is open.
#[derive(Debug)]
pub struct Launch {
    pub(crate) session: Arc<Session>,
    pub(crate) argv: Vec<String>,
    is_submission: bool,
    command: Command,
    stdin: Input,
    stdout: Output,
    stderr: Output,
    cap: u64,
    pub(crate) rules: Vec<Rule>,
    pub(crate) recorded: Vec<Point>,
    pub(crate) watch: Option<(Watch, String)>,
}

impl Launch {
    pub(crate) fn new(
        session: Arc<Session>,
        name: &str,
        command: Command,
        is_submission: bool,
    ) -> Self {
        let cap = session.limits.output_bytes;
        Self {
            session,
            argv: vec![name.to_owned()],
            is_submission,
            command,
            stdin: Input::Null,
            stdout: Output::Capture,
            stderr: Output::Capture,
            cap,
            rules: Vec::new(),
            recorded: Vec::new(),
            watch: None,
        }
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.argv.push(arg.as_ref().to_string_lossy().into_owned());
        self.command.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(self, args: I) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    /// Sets standard input; /dev/null otherwise.
    pub fn stdin(mut self, input: Input) -> Self {
        self.stdin = input;
        self
    }

    /// Sets standard output; captured otherwise.
    pub fn stdout(mut self, output: Output) -> Self {
        self.stdout = output;
        self
    }

    /// Sets standard error; captured otherwise.
    pub fn stderr(mut self, output: Output) -> Self {
        self.stderr = output;
        self
    }

    /// Opens `fd` in the program at `number`, which must be 3 or more (4 for a probe).
    pub fn fd(mut self, number: i32, fd: impl Into<OwnedFd>) -> Self {
        self.command.fds.push((fd.into(), number));
        self
    }

    /// Sets a resource limit, soft and hard.
    pub fn rlimit(mut self, resource: Resource, value: u64) -> Self {
        self.command.rlimits.push((resource, value));
        self
    }

    /// Sets the file mode creation mask.
    pub fn umask(mut self, mask: u32) -> Self {
        self.command.umask = Some(mask);
        self
    }

    /// Adds an environment variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.command.env.push((name.into(), value.into()));
        self
    }

    /// Starts with this signal ignored.
    pub fn ignoring(mut self, signal: i32) -> Self {
        self.command.ignored.push(signal);
        self
    }

    /// Starts with this signal blocked.
    pub fn blocking(mut self, signal: i32) -> Self {
        self.command.blocked.push(signal);
        self
    }

    /// Starts the program stopped, before it has executed anything of its own: for
    /// [`crate::Turn`], which continues it.
    pub fn start_stopped(mut self) -> Check<Process> {
        let program = std::mem::take(&mut self.command.program);
        let [shell, words @ ..] = STARTS_STOPPED;
        let words = words
            .map(OsString::from)
            .into_iter()
            .chain([program.into()]);
        self.command.program = shell.into();
        self.command.args.splice(0..0, words);
        let process = self.start()?;
        let proc = process.proc();
        clock::until(|| proc.state() == Some(State::Stopped) || process.exit().is_some());
        Ok(process)
    }

    /// Starts the program.
    pub fn start(mut self) -> Check<Process> {
        let watch = self.watch_and_role()?;
        let stdin = match self.stdin {
            Input::Null => {
                self.command.fds.push((File::open("/dev/null")?.into(), 0));
                None
            }
            Input::Fd(fd) => {
                self.command.fds.push((fd, 0));
                None
            }
            Input::Pipe => {
                let (reader, writer) = std::io::pipe()?;
                self.command.fds.push((reader.into(), 0));
                Some(File::from(OwnedFd::from(writer)))
            }
        };
        let cap = self.cap;
        let fds = &mut self.command.fds;
        let mut open = |output: Output, number: i32| -> Check<Option<File>> {
            let (fd, captured) = match output {
                Output::Null => (File::options().write(true).open("/dev/null")?.into(), None),
                Output::Fd(fd) => (fd, None),
                Output::Capture => {
                    let (reader, writer) = std::io::pipe()?;
                    (
                        OwnedFd::from(writer),
                        Some(File::from(OwnedFd::from(reader))),
                    )
                }
            };
            fds.push((fd, number));
            Ok(captured)
        };
        let stdout = open(self.stdout, 1)?;
        let stderr = open(self.stderr, 2)?;
        let is_watched = watch.is_some();
        if let Some((watch, role)) = watch {
            self.command.watch = Some(watch.admit(&role)?);
        }
        let child = self.session.spawn(self.command)?;
        let capture = |pipe: Option<File>| pipe.map(|pipe| Capture::start(pipe, cap));
        let stdout = capture(stdout);
        let seen = Arc::new(Seen {
            argv: self.argv,
            child,
            is_submission: self.is_submission,
            is_watched,
            sent: Mutex::new(Vec::new()),
            stderr: capture(stderr),
        });
        self.session.remember(Arc::clone(&seen));
        Ok(Process::new(seen, stdin, stdout))
    }

    /// Starts the program, feeds it `input` while reading what it says, and waits for its end.
    pub fn run(self, input: &[u8]) -> Check<Done> {
        let mut process = self.stdin(Input::Pipe).start()?;
        let mut stdin = process.take_stdin().expect("asked for a pipe");
        let input = input.to_vec();
        // A program may well end before it has read everything: that is its own affair here.
        let feeder = thread::spawn(move || {
            let _ = stdin.write_all(&input);
        });
        let done = process.finish();
        // The feeder ends with the last reader of the pipe.
        if done.is_ok() {
            let _ = feeder.join();
        }
        done
    }

    /// Starts a probe and connects to it.
    pub fn connect(mut self) -> Check<Probe> {
        let (ours, theirs) = UnixStream::pair()?;
        let theirs: OwnedFd = theirs.into();
        self.command.fds.push((theirs, probe::SOCKET_FD));
        Ok(Probe::new(self.start()?, ours))
    }
}

impl From<sandbox::SpawnError> for Stop {
    fn from(error: sandbox::SpawnError) -> Self {
        // Processes of a box are counted on their own: whoever took them all is in there.
        if let sandbox::SpawnError::Prepare {
            errno: nix::Error::EAGAIN,
            ..
        } = error
        {
            return crate::found(
                model::Symptom::Limit,
                "starting one more program of this test",
                "there is room for a process",
                "the programs before it left so many processes that no more fit in the box",
            );
        }
        if let sandbox::SpawnError::Watch { .. } = error {
            return Self::Unavailable(error.to_string());
        }
        // Pid 1 of the box is a process of the box to the kernel, and may be the last one to kill.
        if let sandbox::SpawnError::OutOfMemory = error {
            return crate::found(
                model::Symptom::Limit,
                "starting one more program of this test",
                "there is memory for it",
                "the programs before it used up the memory of the box",
            );
        }
        Self::Fault(format!("starting a program in the box: {error}"))
    }
}
