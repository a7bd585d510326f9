//! Stopping in the middle: one switch for a whole run, and every process that it must end.
//!
//! Children get a process group of their own, so that a Ctrl-C on the terminal reaches the grader
//! alone. It would otherwise end verdict programs too, and their end would look like a fault of
//! ours that belongs into the journal.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

/// Asked to stop, with what was done until then kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped before it was done")]
pub struct Stopped;

impl From<Stopped> for io::Error {
    fn from(stopped: Stopped) -> Self {
        Self::new(io::ErrorKind::Interrupted, stopped)
    }
}

/// The switch. Clones are the same switch.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_asked: AtomicBool,
    /// Whom to signal for each child that is not reaped yet: itself, or its whole group.
    running: Mutex<BTreeMap<u32, Pid>>,
}

impl Stop {
    /// Ends every child and refuses new ones. Whoever waits for a child sees its end.
    pub fn ask(&self) {
        // Under the lock: a child is either in the list or refused.
        let running = self.running();
        self.0.is_asked.store(true, Ordering::SeqCst);
        for whom in running.values() {
            let _ = kill(*whom, Signal::SIGKILL);
        }
    }

    /// Whether it was asked to stop.
    pub fn is_asked(&self) -> bool {
        self.0.is_asked.load(Ordering::SeqCst)
    }

    /// An error once it was asked to stop.
    pub(crate) fn check(&self) -> Result<(), Stopped> {
        match self.is_asked() {
            true => Err(Stopped),
            false => Ok(()),
        }
    }

    /// Starts a process that ends with this run. What it has started itself dies with it.
    pub(crate) fn start(&self, command: &mut Command) -> io::Result<Running> {
        self.start_and_signal(command, |pid| pid)
    }

    /// Starts a process whose own children would outlive it: all of them are ended.
    pub(crate) fn start_group(&self, command: &mut Command) -> io::Result<Running> {
        self.start_and_signal(command, |pid| Pid::from_raw(-pid.as_raw()))
    }

    fn start_and_signal(
        &self,
        command: &mut Command,
        whom: impl Fn(Pid) -> Pid,
    ) -> io::Result<Running> {
        let mut running = self.running();
        self.check()?;
        let child = command.process_group(0).spawn()?;
        running.insert(child.id(), whom(pid_of(&child)));
        drop(running);
        Ok(Running {
            child,
            stop: self.clone(),
        })
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<u32, Pid>> {
        self.0
            .running
            .lock()
            .expect("no holder of this lock panics")
    }
}

/// A child that ends when it is dropped, or when the run is stopped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    stop: Stop,
}

impl Running {
    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        // It leaves the list before it is reaped: its pid may be somebody else's afterwards.
        let pid = pid_of(&self.child);
        let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while let Err(nix::Error::EINTR) = waitid(Id::Pid(pid), ended) {}
        self.stop.running().remove(&self.child.id());
        self.child.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(whom) = self.stop.running().remove(&self.child.id()) {
            let _ = kill(whom, Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a pid is a positive i32"))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;

    use super::*;

    #[test]
    fn whoever_waits_sees_the_end_and_nothing_new_is_started() {
        let stop = Stop::default();
        let mut sleeper = stop.start(Command::new("sleep").arg("1000")).unwrap();
        stop.clone().ask();
        assert_eq!(sleeper.wait().unwrap().signal(), Some(9));
        let refused = stop.start(&mut Command::new("true")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::Interrupted);
    }

    #[test]
    fn the_children_of_a_group_end_with_it() {
        let stop = Stop::default();
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 1000 & sleep 1000"]);
        let mut shell = stop.start_group(shell.stdout(Stdio::piped())).unwrap();
        let mut stdout = shell.child.stdout.take().unwrap();
        stop.ask();
        // End of file comes when the last process that holds the pipe has ended.
        assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
    }
}
