//! The recorder as its user sees it: programs are admitted, a log and reports come out.

use std::collections::HashMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::inject::results::AT_THE_START;
use crate::inject::supervisor::Supervisor;
use crate::inject::{Log, Point, Rule, Until};

/// Records the calls of the programs it is told of, and applies rules to them.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    calls: Vec<i64>,
    cpu: Option<usize>,
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The rule.
    pub rule: Rule,
    /// How many calls it could have meant, whatever their count.
    pub n_matching: u32,
    /// How often it took effect.
    pub n_fired: u32,
}

impl Report {
    /// Whether it neither took effect nor was allowed not to.
    pub fn is_missing(&self) -> bool {
        self.n_fired == 0 && !self.rule.is_optional
    }
}

/// What the recorder's thread and its users share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) wake: EventFd,
    state: Mutex<Book>,
}

/// The books that are kept.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) log: Log,
    pub(crate) reports: Vec<Report>,
    pub(crate) troubles: Vec<String>,
    pub(crate) arriving: Vec<(String, UnixStream)>,
    /// The place in the log of the call that a thread is in, if its result is to be known.
    pub(crate) unfinished: HashMap<i32, usize>,
    /// Why the results of some calls stay unknown.
    pub(crate) no_results: Option<String>,
    /// The recorder was dropped: no program will come any more.
    pub(crate) is_closed: bool,
}

impl Book {
    /// Whether this call was interrupted, and the kernel has begun it again by itself.
    pub(crate) fn is_begun_again(&self, tid: i32, call: i64, args: &[u64; 6]) -> bool {
        let place = self.unfinished.get(&tid);
        let entry = place.and_then(|&place| self.log.entries.get(place));
        entry.is_some_and(|entry| {
            entry.returned.is_some() && entry.call == call && entry.args == *args
        })
    }
}

impl Shared {
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

impl Recorder {
    /// Starts one. It hears the calls that the rules name, and those of `also`.
    ///
    /// # Errors
    /// Those of eventfd(2).
    pub fn start(rules: Vec<Rule>, also: &[Point]) -> io::Result<Self> {
        Self::new(rules, also, false)
    }

    /// The same, and the log tells what calls returned. For that the programs are traced: each of
    /// their calls, recorded or not, costs two stops more, and they cannot be traced by others.
    ///
    /// # Errors
    /// Those of eventfd(2). Where tracing is forbidden, [`no_results`](Self::no_results) says so.
    pub fn with_results(rules: Vec<Rule>, also: &[Point]) -> io::Result<Self> {
        Self::new(rules, also, true)
    }

    fn new(rules: Vec<Rule>, also: &[Point], tells_results: bool) -> io::Result<Self> {
        // The program's own exec says when its life begins.
        let mut calls = vec![libc::SYS_execve];
        for point in rules.iter().flat_map(points).chain(also) {
            calls.extend(point.calls.numbers);
        }
        if tells_results {
            calls.push(AT_THE_START);
        }
        calls.sort_unstable();
        calls.dedup();
        let report = |rule: &Rule| Report {
            rule: rule.clone(),
            n_matching: 0,
            n_fired: 0,
        };
        let book = Book {
            reports: rules.iter().map(report).collect(),
            ..Book::default()
        };
        let shared = Arc::new(Shared {
            wake: EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
            state: Mutex::new(book),
        });
        let cpu = nix::sched::sched_getcpu().ok();
        let supervisor = Supervisor::new(Arc::clone(&shared), rules, tells_results);
        thread::Builder::new()
            .name("recorder".into())
            .spawn(move || supervisor.serve(cpu))?;
        Ok(Self { shared, calls, cpu })
    }

    /// The calls that a program's filter has to announce.
    pub fn calls(&self) -> &[i64] {
        &self.calls
    }

    /// The CPU that a program should stay on, where the recorder is: an announced call costs
    /// several times more across CPUs.
    pub fn cpu(&self) -> Option<usize> {
        self.cpu
    }

    /// Expects one more program, which has to send its listener through this socket.
    ///
    /// # Errors
    /// Those of socketpair(2).
    pub fn admit(&self, role: &str) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        self.shared.book().arriving.push((role.to_owned(), ours));
        self.shared.wake.write(1)?;
        Ok(theirs)
    }

    /// What has been recorded so far.
    pub fn log(&self) -> Log {
        self.shared.book().log.clone()
    }

    /// Why the results of some calls stay unknown, although they were to be recorded.
    pub fn no_results(&self) -> Option<String> {
        self.shared.book().no_results.clone()
    }

    /// Writes something beside a call of the log, as if it had been done to it: what a test has
    /// found there.
    pub fn remark(&self, place: usize, text: &str) {
        if let Some(entry) = self.shared.book().log.entries.get_mut(place) {
            entry.effect = Some(text.to_owned());
        }
    }

    /// What has become of each rule so far, in their order.
    pub fn reports(&self) -> Vec<Report> {
        self.shared.book().reports.clone()
    }

    /// What a rule demanded and this machine did not give. Not empty means: these programs ran
    /// without a fault that they should have met.
    pub fn troubles(&self) -> Vec<String> {
        self.shared.book().troubles.clone()
    }
}

impl Drop for Recorder {
    /// Programs that still run are answered until they end.
    fn drop(&mut self) {
        self.shared.book().is_closed = true;
        let _ = self.shared.wake.write(1);
    }
}

/// All points that a rule speaks of.
fn points(rule: &Rule) -> impl Iterator<Item = &Point> {
    let until = match &rule.effect {
        crate::inject::Effect::HeldUntil(Until::Reached(point)) => Some(&**point),
        _ => None,
    };
    std::iter::once(&rule.point).chain(until)
}
