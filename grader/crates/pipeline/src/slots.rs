//! Slots: how much of a class runs at a time, over all its seats.
//!
//! A core is worth a few slots, since tests wait most of the time. A compiler never waits, so it
//! takes a whole core; so does a test that runs a second time and must not be disturbed. Whoever
//! came first is served first, or those who need much would wait for ever.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// A test that takes longer than this waits for something, as a hung one does.
pub(crate) const LONG: Duration = Duration::from_millis(600);

/// The slots of one run. Clones share them.
#[derive(Clone, Debug)]
pub struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    n_cores: usize,
    per_core: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: usize,
    lent: usize,
    next_ticket: u64,
    served: u64,
}

impl Slots {
    /// So many slots for each of so many cores.
    pub fn new(n_cores: usize, per_core: usize) -> Self {
        let (n_cores, per_core) = (n_cores.max(1), per_core.max(1));
        Self(Arc::new(Shared {
            n_cores,
            per_core,
            state: Mutex::new(State {
                free: n_cores * per_core,
                lent: 0,
                next_ticket: 0,
                served: 0,
            }),
            changed: Condvar::new(),
        }))
    }

    /// How many cores there are to fill.
    pub(crate) fn n_cores(&self) -> usize {
        self.0.n_cores
    }

    /// Waits for one slot.
    pub(crate) fn one(&self) -> Taken {
        self.take(1)
    }

    /// Waits for all slots of a core.
    pub(crate) fn core(&self) -> Taken {
        self.take(self.0.per_core)
    }

    fn take(&self, n: usize) -> Taken {
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        while state.served != ticket || state.free < n {
            let waited = self.0.changed.wait(state);
            state = waited.expect("no holder of this lock panics");
        }
        state.served += 1;
        state.free -= n;
        self.0.changed.notify_all();
        Taken {
            slots: self.clone(),
            n,
            is_lent: false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no holder of this lock panics")
    }
}

/// Slots that are in use until this is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    slots: Slots,
    n: usize,
    is_lent: bool,
}

impl Taken {
    /// Lets somebody else use a slot whose user only waits. No more are lent than there are, so
    /// that users who do not wait after all cannot crowd the machine without end.
    pub(crate) fn lend(&mut self) {
        let mut state = self.slots.lock();
        let n_all = self.slots.0.n_cores * self.slots.0.per_core;
        if self.n == 1 && !self.is_lent && state.lent < n_all {
            self.is_lent = true;
            state.lent += 1;
            state.free += 1;
            self.slots.0.changed.notify_all();
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut state = self.slots.lock();
        match self.is_lent {
            true => state.lent -= 1,
            false => state.free += self.n,
        }
        self.slots.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn free(slots: &Slots) -> usize {
        slots.lock().free
    }

    #[test]
    fn a_core_is_waited_for_and_nobody_gets_past_whoever_waits() {
        let slots = Slots::new(1, 2);
        let first = slots.one();
        let order = Mutex::new(Vec::new());
        let queued = |n| {
            while slots.lock().next_ticket < n {
                thread::yield_now();
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                let _core = slots.core();
                order.lock().unwrap().push("core");
            });
            queued(2);
            scope.spawn(|| {
                let _one = slots.one();
                order.lock().unwrap().push("one");
            });
            queued(3);
            assert_eq!(free(&slots), 1, "there was a slot for the one behind");
            drop(first);
        });
        assert_eq!(*order.lock().unwrap(), ["core", "one"]);
        assert_eq!(free(&slots), 2);
    }

    #[test]
    fn a_slot_is_lent_once_and_never_more_than_there_are() {
        let slots = Slots::new(1, 2);
        let mut taken = Vec::new();
        for n_lent in [1, 2, 2, 2] {
            taken.push(slots.one());
            taken.last_mut().unwrap().lend();
            taken.last_mut().unwrap().lend();
            assert_eq!(slots.lock().lent, n_lent);
        }
        assert_eq!(free(&slots), 0);
        drop(taken);
        assert_eq!((free(&slots), slots.lock().lent), (2, 0));
    }
}
