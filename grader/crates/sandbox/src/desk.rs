//! Where the room waits for the spawn server's answers: who waits for what, and the thread that
//! hears them.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use nix::sys::signal::{SigSet, SigmaskHow};

use crate::exec::{Failure, Stage};
use crate::wire::{Channel, Event};
use crate::{Child, Exit};

/// Who waits for what. Clones are the same desk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Desk(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    starting: HashMap<u64, Sender<Result<Child, Failure>>>,
    running: HashMap<u64, Child>,
    finishing: Option<Sender<u32>>,
    gone: bool,
}

impl Desk {
    /// Where the answer to a spawn request will come; `None` if the spawn server is gone. Without
    /// an answer the channel closes: it was gone before it could give one.
    pub(crate) fn expect_start(&self, id: u64) -> Option<Receiver<Result<Child, Failure>>> {
        let mut waiting = self.lock();
        if waiting.gone {
            return None;
        }
        let (sender, started) = mpsc::channel();
        waiting.starting.insert(id, sender);
        Some(started)
    }

    /// The request was never sent.
    pub(crate) fn forget_start(&self, id: u64) {
        self.lock().starting.remove(&id);
    }

    /// Where the number of survivors will come.
    pub(crate) fn expect_finish(&self) -> Receiver<u32> {
        let (sender, finished) = mpsc::channel();
        let mut waiting = self.lock();
        if !waiting.gone {
            waiting.finishing = Some(sender);
        }
        finished
    }

    /// Starts the thread that hears the spawn server until that is gone. It blocks every signal:
    /// those are for the room's own threads.
    pub(crate) fn start_reader(&self, events: Channel) -> io::Result<JoinHandle<()>> {
        let desk = self.clone();
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        let reader = thread::Builder::new()
            .name("box-reader".into())
            .spawn(move || {
                while let Ok(Some((event, fds))) = events.receive() {
                    desk.lock().hear(event, fds);
                }
                desk.lock().close();
            });
        before.thread_set_mask()?;
        reader
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl Waiting {
    fn hear(&mut self, event: Event, fds: Vec<OwnedFd>) {
        match event {
            Event::Started { id, inner_pid } => {
                let child = handle(inner_pid, fds);
                if let Ok(child) = &child {
                    self.running.insert(id, child.clone());
                }
                self.answer(id, child);
            }
            Event::NotStarted { id, failure } => self.answer(id, Err(failure)),
            Event::Ended(ended) => {
                if let Some(child) = self.running.remove(&ended.id) {
                    child.end(Exit::from_wire(&ended));
                }
            }
            Event::Finished { survivors } => {
                if let Some(finishing) = self.finishing.take() {
                    let _ = finishing.send(survivors);
                }
            }
            Event::Ready { .. } | Event::Failed { .. } => {} // heard before this thread began
        }
    }

    fn answer(&mut self, id: u64, answer: Result<Child, Failure>) {
        if let Some(sender) = self.starting.remove(&id) {
            let _ = sender.send(answer);
        }
    }

    /// The spawn server is gone, and the kernel has killed what it had started.
    fn close(&mut self) {
        self.gone = true;
        self.starting.clear();
        self.finishing = None;
        for (_, child) in self.running.drain() {
            child.end(Exit::killed_unseen());
        }
    }
}

fn handle(inner_pid: i32, fds: Vec<OwnedFd>) -> Result<Child, Failure> {
    let pidfd = fds.into_iter().next();
    pidfd
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))
        .and_then(|pidfd| Child::new(inner_pid, pidfd))
        .map_err(|error| Failure {
            stage: Stage::Fork,
            errno: error.raw_os_error().unwrap_or(libc::EIO),
        })
}
