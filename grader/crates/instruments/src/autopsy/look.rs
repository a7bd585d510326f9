//! Looks at a thread: what it does, and for one that does not stay there, what it does mostly.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::proc::{Activity, Glance, Process, State, Switches, Thread};

/// For so long a restless thread is looked at, and how often. In a crowd it spends most of this
/// waiting for a CPU, or for a recorder that does.
const RESTLESS: Duration = Duration::from_millis(50);
const BETWEEN_GLIMPSES: Duration = Duration::from_micros(500);

/// So long after the first look there is no more time for that: there are too many of them.
const LATEST: Duration = Duration::from_millis(300);

/// One thread at the first look.
pub(super) struct FirstLook {
    pub(super) thread: Thread,
    switches: Option<Switches>,
    cpu: Option<Duration>,
}

impl FirstLook {
    /// The CPU time that the thread has used since then.
    pub(super) fn used(&self) -> Option<Duration> {
        Some(self.thread.cpu()?.saturating_sub(self.cpu?))
    }
}

/// Looks at all threads of these processes.
pub(super) fn first(processes: &[Process]) -> Vec<FirstLook> {
    let threads = processes.iter().flat_map(|process| process.threads());
    threads
        .map(|thread| FirstLook {
            thread,
            switches: thread.switches(),
            cpu: thread.cpu(),
        })
        .collect()
}

/// One thread some time after the first look.
pub(super) struct Look {
    pub(super) state: State,
    /// What the kernel tells of where it is.
    pub(super) activity: Option<Activity>,
    /// How often it woke since the first look; 0 if that is not known.
    pub(super) woke: u64,
    switches: Option<Switches>,
}

impl Look {
    /// Looks at it now. What a thread that woke since the first look happens to do explains little;
    /// for a while it is looked at again and again, and told by its longest sleep. `None` when it
    /// is gone.
    pub(super) fn second(
        thread: Thread,
        first: Option<&FirstLook>,
        began: Instant,
    ) -> Option<Self> {
        let mut now = Self::at(thread, first)?;
        let used = || first.and_then(FirstLook::used);
        let computes = || used().is_some_and(|used| used > began.elapsed() / 2);
        if now.has_ended() || now.stays() || computes() {
            return Some(now);
        }
        let until = (Instant::now() + RESTLESS).min(began + LATEST);
        let mut since = Instant::now();
        let mut longest = Duration::ZERO;
        let mut mostly = None;
        while Instant::now() < until {
            sleep(BETWEEN_GLIMPSES);
            let then = std::mem::replace(&mut now, Self::at(thread, first)?);
            if now.has_ended() {
                return Some(now);
            }
            if !now.is_the_same_sleep_as(&then) {
                since = Instant::now();
            } else if since.elapsed() > longest {
                longest = since.elapsed();
                mostly = Some(then);
            }
        }
        Some(mostly.unwrap_or(now))
    }

    fn at(thread: Thread, first: Option<&FirstLook>) -> Option<Self> {
        let Glance { state, switches } = thread.glance()?;
        let woke = switches
            .zip(first.and_then(|first| first.switches))
            .map(|(now, then)| now.voluntary.saturating_sub(then.voluntary));
        Some(Self {
            state,
            activity: thread.activity(),
            woke: woke.unwrap_or_default(),
            switches,
        })
    }

    /// On a CPU, or waiting for one.
    pub(super) fn is_running(&self) -> bool {
        self.state == State::Running || self.activity == Some(Activity::Running)
    }

    /// It has not moved since the first look.
    fn stays(&self) -> bool {
        self.woke == 0 && !self.is_running()
    }

    fn has_ended(&self) -> bool {
        matches!(self.state, State::Zombie | State::Dead)
    }

    /// The earlier look's activity belongs to it, too: it was read between the two counts.
    fn is_the_same_sleep_as(&self, earlier: &Self) -> bool {
        let sleeps = |look: &Self| look.state == State::Asleep && !look.is_running();
        sleeps(self) && sleeps(earlier) && self.switches == earlier.switches
    }
}
