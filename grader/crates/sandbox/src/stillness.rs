//! Keeps everybody else in the box still while a program starts that somebody stops.
//!
//! Until its exec, a program on its way is a process like the others in the box, and a hostile one
//! may stop it. To continue it is not enough: who stops everybody all the time, on a processor of
//! its own, stops it again before it has made another step. This module does not know how programs
//! are started.

use std::collections::BTreeSet;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::init::Realm;
use crate::processes;

/// Everybody but the spawn server and one program is stopped for as long as this lives.
pub(crate) struct Stillness {
    realm: Realm,
    /// Those that had been stopped before, by somebody who may have had a reason.
    before: BTreeSet<i32>,
}

impl Stillness {
    /// Stops everybody; the program itself has to be continued then.
    pub(crate) fn impose(realm: Realm, program: Pid) -> Self {
        let before = stopped(realm);
        match realm {
            // In one go, so that nobody is forked meanwhile.
            Realm::Namespace | Realm::UnseenNamespace => send(-1, Signal::SIGSTOP),
            Realm::Descendants => {
                // Whoever has the signal forks no more, even if it cannot stop just yet.
                let mut told = before.clone();
                told.insert(program.as_raw());
                loop {
                    let everybody = everybody(realm).into_iter();
                    let untold: Vec<i32> = everybody.filter(|pid| told.insert(*pid)).collect();
                    if untold.is_empty() {
                        break;
                    }
                    untold
                        .into_iter()
                        .for_each(|pid| send(pid, Signal::SIGSTOP));
                }
            }
        }
        Self { realm, before }
    }
}

impl Drop for Stillness {
    fn drop(&mut self) {
        match self.realm {
            // Nobody can be told from anybody else there.
            Realm::UnseenNamespace => send(-1, Signal::SIGCONT),
            Realm::Namespace | Realm::Descendants => {
                for pid in stopped(self.realm).difference(&self.before) {
                    send(*pid, Signal::SIGCONT);
                }
            }
        }
    }
}

/// Whether this child of ours is stopped.
pub(crate) fn is_stopped(child: Pid) -> bool {
    let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    matches!(waitid(Id::Pid(child), flags), Ok(WaitStatus::Stopped(_, _)))
}

fn everybody(realm: Realm) -> Vec<i32> {
    let me = Pid::this().as_raw();
    match realm {
        Realm::Namespace => processes::others(me),
        Realm::UnseenNamespace => Vec::new(),
        Realm::Descendants => processes::descendants(me),
    }
}

fn stopped(realm: Realm) -> BTreeSet<i32> {
    let everybody = everybody(realm).into_iter();
    everybody
        .filter(|pid| processes::is_stopped(*pid))
        .collect()
}

fn send(pid: i32, signal: Signal) {
    // Whoever has ended meanwhile is still enough.
    let _ = kill(Pid::from_raw(pid), signal);
}
