//! One victim under examination: started, waited for by its kernel state, killed.

use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use instruments::proc::{State, Syscall};
use instruments::{Autopsy, Process, explain};

/// A process of the victim program, killed with its children when dropped.
pub(crate) struct Case {
    child: Child,
}

/// Starts a victim that hangs in this way.
pub(crate) fn victim(way: &str, with: &str) -> Case {
    let child = Command::new(env!("CARGO_BIN_EXE_victim"))
        .args([way, with])
        .spawn();
    Case {
        child: child.expect("start the victim"),
    }
}

impl Case {
    pub(crate) fn process(&self) -> Process {
        Process::new(self.child.id().cast_signed())
    }

    fn everybody(&self) -> Vec<Process> {
        let mut all = self.process().descendants();
        all.insert(0, self.process());
        all
    }

    /// Waits until some thread of the victim or its children sleeps in this call. An empty name
    /// stands for the victim program's own.
    pub(crate) fn asleep_in(self, name: &str, number: i64) -> Self {
        let name = if name.is_empty() { "victim" } else { name };
        self.until(&format!("{name} sleeps in call {number}"), |all| {
            let named = all
                .iter()
                .filter(|process| process.name().as_deref() == Some(name));
            named.flat_map(|process| process.threads()).any(|thread| {
                let call = thread.syscall();
                thread.state() == Some(State::Asleep)
                    && call.is_some_and(|Syscall { number: n, .. }| n == number)
            })
        })
    }

    /// Waits until the victim or a child of it is in this state.
    pub(crate) fn in_state(self, state: State) -> Self {
        self.until(&format!("state {state:?}"), |all| {
            all.iter().any(|process| process.state() == Some(state))
        })
    }

    fn until(self, what: &str, holds: impl Fn(&[Process]) -> bool) -> Self {
        let began = Instant::now();
        while !holds(&self.everybody()) {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "never seen: {what}"
            );
            sleep(Duration::from_millis(1));
        }
        self
    }

    pub(crate) fn autopsy(&self) -> Autopsy {
        explain(&[self.child.id().cast_signed()])
    }

    /// The autopsy has one line with all these phrases.
    #[track_caller]
    pub(crate) fn says(&self, phrases: &[&str]) -> Autopsy {
        let autopsy = self.autopsy();
        let matches = |line: &&String| phrases.iter().all(|phrase| line.contains(phrase));
        let text = autopsy.lines.join("\n");
        assert!(
            autopsy.lines.iter().any(|line| matches(&line)),
            "no {phrases:?} in\n{text}"
        );
        autopsy
    }

    /// Like `says`, for something that cannot end by itself.
    #[track_caller]
    pub(crate) fn is_stuck_and_says(&self, phrases: &[&str]) {
        let autopsy = self.says(phrases);
        assert!(autopsy.all_asleep_without_timer, "{autopsy:?}");
    }

    /// Like `says`, for something that may end by itself.
    #[track_caller]
    pub(crate) fn may_end_and_says(&self, phrases: &[&str]) {
        let autopsy = self.says(phrases);
        assert!(!autopsy.all_asleep_without_timer, "{autopsy:?}");
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        for process in self.everybody() {
            let pid = nix::unistd::Pid::from_raw(process.pid());
            let _ended = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
        let _reaped = self.child.wait();
    }
}

/// A folder for files and sockets of one test.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("make a folder")
}

/// A path in it, as an argument.
pub(crate) fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder
        .path()
        .join(name)
        .to_str()
        .expect("a path in UTF-8")
        .to_owned()
}
