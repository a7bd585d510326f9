//! Ends a run that does not end by itself: kills its programs from a thread of its own, so that
//! whoever waits for them wakes up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::PidFd;

/// Goes off after a time, unless it is dropped before.
pub(super) struct Alarm {
    shared: Arc<Shared>,
    cancel: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    programs: Mutex<Vec<PidFd>>,
    went_off: AtomicBool,
}

impl Alarm {
    pub(super) fn after(limit: Duration) -> Self {
        let shared = Arc::new(Shared::default());
        let (cancel, cancelled) = mpsc::channel();
        let theirs = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            if cancelled.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                theirs.went_off.store(true, Ordering::SeqCst);
                theirs.kill();
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
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<PidFd>> {
        self.programs.lock().expect("no holder of this lock panics")
    }

    fn kill(&self) {
        for program in self.lock().iter() {
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
