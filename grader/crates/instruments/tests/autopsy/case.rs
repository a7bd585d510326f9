//! One victim under examination: started, waited for by its kernel state, killed.

use std::cell::RefCell;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use instruments::proc::{State, Syscall};
use instruments::{Autopsy, Process, explain};
// What pause(3), poll(3) and epoll_wait(3) call, where the kernel has only what came after them.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) use libc::{SYS_epoll_pwait as EPOLL_WAIT, SYS_ppoll as PAUSE, SYS_ppoll as POLL};
#[cfg(target_arch = "x86_64")]
pub(crate) use libc::{SYS_epoll_wait as EPOLL_WAIT, SYS_pause as PAUSE, SYS_poll as POLL};
use nix::time::{ClockId, clock_gettime};

thread_local! {
    /// CPU time of each autopsy that this thread has made, in the order they were made.
    static COSTS: RefCell<Vec<Duration>> = const { RefCell::new(Vec::new()) };
}

/// What the autopsies of this thread have cost since the last time this was asked.
pub(crate) fn take_costs() -> Vec<Duration> {
    COSTS.take()
}

fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    now.expect("a thread has a CPU clock").into()
}

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

    /// Waits until so many threads of the victim and its children sleep in this call.
    pub(crate) fn until_asleep_in(self, number: i64, n_threads: usize) -> Self {
        self.until(&format!("{n_threads} threads in call {number}"), |all| {
            let threads = all.iter().flat_map(|process| process.threads());
            let asleep = threads.filter(|thread| {
                thread.state() == Some(State::Asleep)
                    && thread.syscall().is_some_and(|call| call.number == number)
            });
            asleep.count() == n_threads
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
        let before = thread_cpu();
        let autopsy = explain(&[self.child.id().cast_signed()]);
        let cost = thread_cpu() - before;
        COSTS.with_borrow_mut(|costs| costs.push(cost));
        autopsy
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
