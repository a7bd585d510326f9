//! A running program: feed it, watch it from outside, send it signals, wait for its end.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use instruments::proc::State;
use model::{Program, ProgramEnd, Symptom};
use sandbox::{Child, Exit};

use crate::capture::{Capture, tail};
use crate::clock;
use crate::{Check, Done, found};

/// What is kept of every started program until the test's evidence is written.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) argv: Vec<String>,
    pub(crate) child: Child,
    pub(crate) is_submission: bool,
    pub(crate) is_watched: bool,
    pub(crate) sent: Mutex<Vec<i32>>,
    pub(crate) stderr: Option<Capture>,
}

impl Seen {
    /// The program as evidence.
    pub(crate) fn program(&self) -> Program {
        use std::os::unix::process::ExitStatusExt;
        let end = match self.child.exit().map(|exit| exit.status) {
            None => ProgramEnd::Running,
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => ProgramEnd::Exited(code),
                (None, signal) => ProgramEnd::Signaled(signal.unwrap_or_default()),
            },
        };
        let sent = self.sent.lock().expect("no holder of this lock panics");
        Program {
            argv: self.argv.clone(),
            end,
            ended_by_test: matches!(end, ProgramEnd::Signaled(signal) if sent.contains(&signal)),
            stderr_tail: tail(&self.stderr_so_far(), 2048),
        }
    }

    /// Whether it has ended, and not of a signal that the test sent.
    pub(crate) fn ended_by_itself(&self) -> bool {
        let program = self.program();
        program.end != ProgramEnd::Running && !program.ended_by_test
    }

    fn stderr_so_far(&self) -> Vec<u8> {
        let Some(stderr) = &self.stderr else {
            return Vec::new();
        };
        if self.child.exit().is_some() {
            // Its last words say why it ended, and may still be in the pipe.
            clock::until(|| stderr.is_drained());
        }
        stderr.so_far()
    }
}

/// A program running in the box.
#[derive(Debug)]
pub struct Process {
    seen: Arc<Seen>,
    stdin: Option<File>,
    stdout: Option<Capture>,
}

impl Process {
    pub(crate) fn new(seen: Arc<Seen>, stdin: Option<File>, stdout: Option<Capture>) -> Self {
        Self {
            seen,
            stdin,
            stdout,
        }
    }

    /// What is kept of it for the evidence.
    pub(crate) fn seen(&self) -> &Arc<Seen> {
        &self.seen
    }

    /// Its process id as this test sees it: for /proc and for signals.
    pub fn pid(&self) -> i32 {
        self.seen.child.pid()
    }

    /// Its process id as it sees itself.
    pub fn inner_pid(&self) -> i32 {
        self.seen.child.inner_pid()
    }

    /// Its command line, for messages.
    pub fn command(&self) -> String {
        self.seen.argv.join(" ")
    }

    /// What the kernel says of it.
    pub fn proc(&self) -> instruments::Process {
        instruments::Process::new(self.pid())
    }

    /// Takes the writing end of its standard input, if that is a pipe.
    pub fn take_stdin(&mut self) -> Option<File> {
        self.stdin.take()
    }

    /// Writes to its standard input. A program that has closed it ended too early.
    pub fn feed(&mut self, bytes: &[u8]) -> Check {
        let command = self.command();
        let Some(stdin) = &mut self.stdin else {
            return Ok(());
        };
        match clock::waiting(|| stdin.write_all(bytes)) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(found(
                Symptom::EarlyExit,
                format!("`{command}` closed its standard input while there was more to read"),
                "it reads to the end of its input",
                format!("EPIPE when writing {} more bytes to it", bytes.len()),
            )),
            result => Ok(result?),
        }
    }

    /// Feeds the chunks one by one, each only once the program sleeps again, so that every chunk
    /// is a read of its own.
    pub fn dribble(&mut self, chunks: &[Vec<u8>]) -> Check {
        for chunk in chunks {
            self.until_asleep()?;
            self.feed(chunk)?;
        }
        self.until_asleep()
    }

    /// Closes its standard input: end of file for the program, if it holds no writing end itself.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Its captured standard output so far.
    pub fn stdout_so_far(&self) -> Vec<u8> {
        self.stdout
            .as_ref()
            .map(Capture::so_far)
            .unwrap_or_default()
    }

    /// Its captured standard error so far, lossy.
    pub fn stderr_so_far(&self) -> String {
        String::from_utf8_lossy(&self.seen.stderr_so_far()).into_owned()
    }

    /// Waits until its standard output satisfies `enough`, and returns it. A program that ends
    /// before ended too early; `what` says what was waited for.
    pub fn until_stdout(&self, what: &str, enough: impl Fn(&[u8]) -> bool) -> Check<Vec<u8>> {
        let mut ended = false;
        loop {
            let stdout = self.stdout_so_far();
            if enough(&stdout) {
                return Ok(stdout);
            }
            if ended {
                let got = format!("{:?}", tail(&stdout, 200));
                return Err(self.ended_early(&format!("{what} on standard output"), &got));
            }
            clock::until(|| {
                ended = self.exit().is_some();
                ended || self.stdout_so_far().len() != stdout.len()
            });
            if ended && let Some(stdout) = &self.stdout {
                // Its last words may still be in the pipe.
                clock::until(|| stdout.is_drained());
            }
        }
    }

    /// Waits for a whole line that starts with `prefix`, and returns the rest of that line.
    pub fn until_line(&self, prefix: &str) -> Check<String> {
        let find = |bytes: &[u8]| -> Option<String> {
            let text = String::from_utf8_lossy(bytes);
            let (whole, _) = text.rsplit_once('\n')?;
            whole
                .lines()
                .find_map(|line| line.strip_prefix(prefix))
                .map(str::to_owned)
        };
        let stdout = self.until_stdout(&format!("a line {prefix:?}"), |out| find(out).is_some())?;
        Ok(find(&stdout).unwrap_or_default())
    }

    /// Waits until it sleeps in the kernel. A program that has ended did so too early; one that
    /// runs on and on is a busy wait.
    pub fn until_asleep(&self) -> Check {
        let limit = self.proc().cpu().map(|cpu| cpu + HONEST_WORK);
        let (mut ended, mut spins) = (false, false);
        clock::until(|| {
            ended = self.exit().is_some();
            spins = limit.is_some_and(|limit| self.proc().cpu() > Some(limit));
            ended || spins || self.proc().is_asleep()
        });
        if ended {
            return Err(self.ended_early("it waits", ""));
        }
        if spins {
            return Err(found(
                Symptom::BusyWait,
                format!("`{}` does not sleep where it has to wait", self.command()),
                "it sleeps in the kernel until there is something to do",
                format!("{} s of CPU time and no end", HONEST_WORK.as_secs()),
            ));
        }
        Ok(())
    }

    /// A busy wait unless the program sleeps without ever waking for `window`: blocked properly
    /// means next to no switches and no CPU time. `what` says what it waits for.
    pub fn sleeps_soundly(&self, window: Duration, what: &str) -> Check {
        // A program that spins never sleeps: after so much time it has no honest work left.
        let busy = self.proc().cpu().map(|cpu| cpu + HONEST_WORK);
        clock::until(|| {
            self.exit().is_some()
                || self.proc().is_asleep()
                || busy.is_some_and(|busy| self.proc().cpu() > Some(busy))
        });
        let before = self.usage();
        let used = || {
            let ((switches, cpu), before) = (self.usage()?, before?);
            Some((switches - before.0, cpu.saturating_sub(before.1)))
        };
        let is_busy = |(switches, cpu)| switches > MAX_SWITCHES || cpu >= MAX_CPU;
        thread::sleep(window);
        // Whoever is not asleep now may spin and get no CPU to do it on. That shows in the end.
        clock::until(|| {
            self.exit().is_some() || self.proc().is_asleep() || used().is_none_or(is_busy)
        });
        if self.exit().is_some() {
            return Err(self.ended_early(&format!("it sleeps, {what}"), ""));
        }
        match used() {
            Some((switches, cpu)) if is_busy((switches, cpu)) => Err(found(
                Symptom::BusyWait,
                format!("`{}` does not sleep, {what}", self.command()),
                format!("no wake-up and no CPU time in {} ms", window.as_millis()),
                format!("{switches} wake-ups and {} ms of CPU time", cpu.as_millis()),
            )),
            // What cannot be read is no evidence.
            _ => Ok(()),
        }
    }

    /// Voluntary switches and CPU time so far, all threads together.
    fn usage(&self) -> Option<(u64, Duration)> {
        let proc = self.proc();
        Some((proc.switches()?.voluntary, proc.cpu()?))
    }

    /// Sends a signal. A program that has ended did so too early.
    pub fn signal(&self, signal: i32) -> Check {
        self.seen
            .sent
            .lock()
            .expect("no holder of this lock panics")
            .push(signal);
        match self.seen.child.signal(signal) {
            Ok(()) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {
                Err(self.ended_early(&format!("it is there to get signal {signal}"), ""))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Stops it with SIGSTOP and waits until it is stopped.
    pub fn freeze(&self) -> Check {
        self.signal(libc::SIGSTOP)?;
        clock::until(|| self.exit().is_some() || self.proc().state() == Some(State::Stopped));
        Ok(())
    }

    /// Lets it go on after [`Process::freeze`].
    pub fn thaw(&self) -> Check {
        self.signal(libc::SIGCONT)
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        self.seen.child.exit()
    }

    /// Waits for its end.
    pub fn wait(&self) -> Exit {
        clock::waiting(|| {
            loop {
                let soon = Instant::now() + Duration::from_secs(3600);
                if let Some(exit) = self.seen.child.wait_until(soon) {
                    return exit;
                }
            }
        })
    }

    /// Closes its standard input, waits for its end and for everything it said. An output over
    /// the cap is a `limit`.
    pub fn finish(mut self) -> Check<Done> {
        self.close_stdin();
        let exit = self.wait();
        let stdout = self.stdout.as_ref();
        let (stdout, flood_out) = stdout.map(Capture::finish).unwrap_or_default();
        let stderr = self.seen.stderr.as_ref();
        let (stderr, flood_err) = stderr.map(Capture::finish).unwrap_or_default();
        if flood_out || flood_err {
            return Err(found(
                Symptom::Limit,
                format!(
                    "`{}` wrote more than the box takes",
                    self.seen.argv.join(" ")
                ),
                "only what the handout asks for",
                format!(
                    "over {} bytes",
                    if flood_out {
                        stdout.len()
                    } else {
                        stderr.len()
                    }
                ),
            ));
        }
        Ok(Done {
            command: self.seen.argv.join(" "),
            exit,
            stdout,
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        })
    }

    /// Kills it and waits until it is gone.
    pub fn kill(self) -> Check<Exit> {
        if self.exit().is_none() {
            // It may end by itself at this very moment.
            let _ = self.signal(libc::SIGKILL);
        }
        Ok(self.wait())
    }

    fn ended_early(&self, expected: &str, got: &str) -> crate::Stop {
        let how = match self.exit() {
            Some(exit) => format!("it ended with {}", exit.status),
            None => "it ended".to_owned(),
        };
        if let Some(stderr) = &self.seen.stderr {
            clock::until(|| stderr.is_drained());
        }
        let stderr = self.stderr_so_far();
        let said = match stderr.trim() {
            "" => String::new(),
            text => format!(", saying: {}", tail(text.as_bytes(), 300)),
        };
        found(
            Symptom::EarlyExit,
            format!("`{}` ended before its work was done", self.command()),
            expected,
            format!(
                "{how}{said}{}{got}",
                if got.is_empty() { "" } else { "; got " }
            ),
        )
    }
}

/// A blocked process may be woken once or twice for reasons of its own; a 1 ms sleep-poll shows
/// about 270 switches in 300 ms.
const MAX_SWITCHES: u64 = 10;

/// CPU time after which a program that should come to wait for something is said to spin. Far
/// more than any lab's program needs for its work.
const HONEST_WORK: Duration = Duration::from_secs(1);

/// A spin shows the whole window.
const MAX_CPU: Duration = Duration::from_millis(20);
