//! Ends a run that does not end by itself: kills its programs from a thread of its own, so that
//! whoever waits for them wakes up.
//!
//! It watches the processor time that the programs use, not the clock on the wall: a schedule may
//! take long on a busy machine, but the programs of one hardly compute anything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::{PidFd, Process};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Goes off once the programs have used so much processor time, unless it is dropped before.
pub(super) struct Alarm {
    shared: Arc<Shared>,
    cancel: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    programs: Mutex<Vec<(PidFd, Process)>>,
    went_off: AtomicBool,
}

impl Alarm {
    pub(super) fn after(limit: Duration) -> Self {
        let shared = Arc::new(Shared::default());
        let (cancel, cancelled) = mpsc::channel();
        let theirs = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            while cancelled.recv_timeout(LOOK) == Err(mpsc::RecvTimeoutError::Timeout) {
                if theirs.cpu() > limit {
                    theirs.went_off.store(true, Ordering::SeqCst);
                    theirs.kill();
                }
            }
        });
        Self {
            shared,
            cancel: Some(cancel),
            thread: Some(thread),
        }
    }

    /// Kills this one too. It must exist, or be a zombie.
    pub(super) fn add(&self, pid: i32) {
        let Ok(program) = PidFd::open(pid) else {
            return; // a thread: its process is in the list
        };
        let program = (program, Process::new(pid));
        self.shared.lock().push(program);
        if self.went_off() {
            self.kill_now();
        }
    }

    pub(super) fn went_off(&self) -> bool {
        self.shared.went_off.load(Ordering::SeqCst)
    }

    pub(super) fn kill_now(&self) {
        self.shared.kill();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(PidFd, Process)>> {
        self.programs.lock().expect("no holder of this lock panics")
    }

    fn cpu(&self) -> Duration {
        let programs = self.lock();
        let alive = programs.iter().filter(|(program, _)| !program.has_ended());
        alive.filter_map(|(_, process)| process.cpu()).sum()
    }

    fn kill(&self) {
        for (program, _) in self.lock().iter() {
            let _ended = program.signal(libc::SIGKILL);
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.cancel = None;
        if let Some(thread) = self.thread.take() {
            let _never_panics = thread.join();
        }
    }
}
