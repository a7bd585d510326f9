//! Tells a program that hangs from one that the machine gives no processor to.
//!
//! Deadlines are in time on the wall. On a machine that is crowded beyond measure they would accuse
//! programs that hardly ran.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use instruments::proc::{Share, Thread};

/// What the scheduler did with some threads, from one look to the next.
#[derive(Debug, Default)]
pub(crate) struct Diet {
    since: Option<Instant>,
    known: HashMap<Thread, Share>,
    all: Share,
}

impl Diet {
    /// Looks at the threads that there are now. What those did that end between two looks is lost.
    pub(crate) fn look(&mut self, threads: impl IntoIterator<Item = Thread>) {
        let is_first = self.since.is_none();
        self.since.get_or_insert_with(Instant::now);
        for thread in threads {
            let Some(now) = thread.share() else { continue };
            let before = self.known.insert(thread, now);
            // What was before the first look is not asked for.
            let before = before.unwrap_or(if is_first { now } else { Share::default() });
            self.all.ran += now.ran.saturating_sub(before.ran);
            self.all.waited += now.waited.saturating_sub(before.waited);
        }
    }

    /// Whether they waited for a processor most of the time, and hardly ever had one. Threads that
    /// crowd each other out have run a lot together.
    pub(crate) fn is_starving(&self) -> bool {
        let passed = self.passed();
        !passed.is_zero() && 2 * self.all.waited >= passed && 10 * self.all.ran <= passed
    }

    fn passed(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl fmt::Display for Diet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = [self.passed(), self.all.ran, self.all.waited];
        let [passed, ran, waited] = times.map(|time| time.as_secs_f64());
        write!(
            f,
            "the machine had no processor for this test: in {passed:.1} s its processes ran for \
             {ran:.1} s and waited {waited:.1} s for their turn"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use instruments::Process;
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;

    use super::*;

    /// A shell that spins, beside others on one processor.
    fn spinner() -> Child {
        let mut shell = Command::new("/bin/sh");
        let child = shell.args(["-c", "while :; do :; done"]).spawn().unwrap();
        let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
        let mut cpus = 0..CpuSet::count();
        let first = cpus.find(|&cpu| allowed.is_set(cpu).unwrap()).unwrap();
        let mut one = CpuSet::new();
        one.set(first).unwrap();
        sched_setaffinity(Pid::from_raw(child.id().cast_signed()), &one).unwrap();
        child
    }

    #[test]
    fn whoever_may_run_only_when_nobody_else_wants_to_starves_beside_a_spinner() {
        let mut children = [spinner(), spinner()];
        let pid = children[0].id().cast_signed();
        let lowest = libc::sched_param { sched_priority: 0 };
        // SAFETY: the parameter outlives the call.
        let set = unsafe { libc::sched_setscheduler(pid, libc::SCHED_IDLE, &raw const lowest) };
        assert_eq!(set, 0);
        let mut diet = Diet::default();
        // Until it has had a turn, its wait is on no account.
        while !diet.is_starving() {
            std::thread::sleep(Duration::from_millis(20));
            diet.look(Process::new(pid).threads());
        }
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// For ten seconds.
    fn diet(ran_ms: u64, waited_ms: u64) -> Diet {
        Diet {
            since: Instant::now().checked_sub(Duration::from_secs(10)),
            known: HashMap::new(),
            all: Share {
                ran: Duration::from_millis(ran_ms),
                waited: Duration::from_millis(waited_ms),
            },
        }
    }

    #[test]
    fn only_waiting_for_others_is_starving() {
        assert!(diet(100, 9_500).is_starving());
        assert!(!diet(100, 100).is_starving(), "it slept");
        assert!(!diet(9_000, 90_000).is_starving(), "a crowd of its own");
        assert!(!diet(3_000, 6_500).is_starving(), "a third is a share");
        assert!(!Diet::default().is_starving(), "nobody looked");
    }
}
