//! One test's bench: its box, work folder, names, randomness and properties.

use std::cell::RefCell;
use std::fmt::Debug;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use instruments::Process;
use instruments::inject::Recorder;
use instruments::proc::{State, Tree};
use model::{Finding, Limits, Symptom, Timeline};
use nix::sys::statvfs::statvfs;
use proptest::prelude::{Rng, RngExt};
use proptest::strategy::Strategy;
use proptest::test_runner::{RngAlgorithm, TestRng};
use sandbox::{Child, Command, Leftovers, Level, Sandbox};

use crate::excerpt::excerpt;
use crate::process::Seen;
use crate::{Check, Launch, Stop, Watch, clock, found};

/// Where the seat's programs are inside the box.
pub(crate) const SEAT: &str = "/lab";

/// The program that tries the library in every order of memory, beside the others in the seat.
pub(crate) const ORDERS: &str = "orders";

/// More CPU time than a program needs from its panic to its end.
const LAST_STEPS: Duration = Duration::from_millis(30);

/// What a test has at hand.
#[derive(Debug)]
pub struct Bench {
    pub(crate) session: Arc<Session>,
    lab: &'static str,
    seat: PathBuf,
    has_orders: bool,
    rng: Mutex<TestRng>,
}

/// What the watchdog shares with the test: the box and every program started in it.
#[derive(Debug)]
pub(crate) struct Session {
    sandbox: Mutex<Option<Sandbox>>,
    seen: Mutex<Vec<Arc<Seen>>>,
    watches: Mutex<Vec<Watch>>,
    left_out: Mutex<Vec<String>>,
    /// What was recorded in the case that a property's verdict is about, or under the schedule
    /// that failed.
    case: Mutex<Option<Timeline>>,
    pub(crate) limits: Limits,
    pub(crate) level: Level,
    work_dir: PathBuf,
    /// The box's own processes. Programs are their children, also those whose parents have ended.
    staff: Vec<Process>,
}

impl Session {
    pub(crate) fn new(sandbox: Sandbox, limits: Limits) -> Self {
        Self {
            level: sandbox.level(),
            work_dir: sandbox.work_dir().to_owned(),
            sandbox: Mutex::new(Some(sandbox)),
            seen: Mutex::default(),
            watches: Mutex::default(),
            left_out: Mutex::default(),
            case: Mutex::default(),
            staff: Process::current().descendants(),
            limits,
        }
    }

    pub(crate) fn spawn(&self, command: Command) -> Check<Child> {
        match &*self.sandbox.lock().expect("no holder of this lock panics") {
            Some(sandbox) => Ok(sandbox.spawn(command)?),
            None => Err(Stop::Fault("the box is closed already".into())),
        }
    }

    /// Who is alive in the box and nobody's child there: programs that the test started, then those
    /// whose parents have ended.
    pub(crate) fn live_roots(&self) -> Vec<Process> {
        let started: Vec<(Process, bool)> = (self.seen().iter())
            .map(|seen| (Process::new(seen.child.pid()), seen.child.exit().is_none()))
            .collect();
        let living = started.iter().filter(|(_, is_alive)| *is_alive);
        let mut roots: Vec<Process> = living.map(|(process, _)| *process).collect();
        let tree = Tree::below(self.staff.iter().copied());
        let children = self.staff.iter().flat_map(|&it| tree.children(it));
        let is_orphan = |process: &Process| {
            !self.staff.contains(process) && started.iter().all(|(it, _)| it != process)
        };
        roots.extend(children.filter(is_orphan));
        roots
    }

    pub(crate) fn remember(&self, seen: Arc<Seen>) {
        self.seen().push(seen);
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Vec<Arc<Seen>>> {
        self.seen.lock().expect("no holder of this lock panics")
    }

    /// A watch that counts for this test's verdict.
    pub(crate) fn watch(&self, recorder: Recorder) -> Watch {
        let watch = Watch::new(recorder);
        self.watches().push(watch.clone());
        watch
    }

    /// The recorded calls, or the steps of a schedule, that explain the test's end.
    pub(crate) fn timeline(&self) -> Timeline {
        let case = self.case.lock().expect("no holder of this lock panics");
        case.clone().unwrap_or_else(|| self.timeline_since(0))
    }

    /// From now on this is what explains the test's end.
    pub(crate) fn show(&self, timeline: Timeline) {
        let mut case = self.case.lock().expect("no holder of this lock panics");
        *case = Some(timeline);
    }

    /// The same of the last of the watches that are not among the first `n_before`.
    fn timeline_since(&self, n_before: usize) -> Timeline {
        let watches = self.watches();
        let excerpts = watches.iter().skip(n_before).rev();
        let mut excerpts = excerpts.map(|watch| excerpt(&watch.log()));
        excerpts.find(|it| !it.is_empty()).unwrap_or_default()
    }

    /// Notes that something was left out, for the evidence.
    pub(crate) fn leave_out(&self, what: String) {
        let mut left_out = self.left_out.lock().expect("no holder of this lock panics");
        if !left_out.contains(&what) {
            left_out.push(what);
        }
    }

    /// What should have happened to the programs and did not: rules that never took effect, and
    /// what was left out.
    pub(crate) fn missed(&self) -> Vec<String> {
        let left_out = self.left_out.lock().expect("no holder of this lock panics");
        let rules: Vec<String> = self.watches().iter().flat_map(Watch::missed).collect();
        left_out.iter().cloned().chain(rules).collect()
    }

    pub(crate) fn watches(&self) -> MutexGuard<'_, Vec<Watch>> {
        self.watches.lock().expect("no holder of this lock panics")
    }

    /// What to say of a box whose files leave no room for the test's own. Only a private file
    /// system can be known to have been filled by the programs in the box.
    pub(crate) fn is_full(&self) -> Option<Finding> {
        if !self.level.has_private_root() {
            return None;
        }
        let full = [self.work_dir.as_path(), Path::new("/dev/shm")]
            .into_iter()
            .find(|folder| {
                statvfs(*folder).is_ok_and(|free| free.blocks_free() == 0 || free.files_free() == 0)
            })?;
        Some(Finding {
            symptom: Symptom::Limit,
            what: format!("a file of the test's own in {}", full.display()),
            expected: "there is room for it".into(),
            got: "the programs before it filled the box's file system".into(),
        })
    }

    /// Waits for programs that are on their way out. One that panics has closed its sockets some
    /// time before it has ended, and only its end explains what the other side saw.
    pub(crate) fn settle(&self) {
        let seen: Vec<Arc<Seen>> = self.seen().clone();
        for seen in seen.iter().filter(|seen| seen.is_submission) {
            let process = Process::new(seen.child.pid());
            let busy = process.cpu().unwrap_or_default() + LAST_STEPS;
            clock::until(|| {
                let at_rest = matches!(process.state(), Some(State::Asleep | State::Stopped));
                at_rest || seen.child.exit().is_some() || process.cpu() > Some(busy)
            });
        }
    }

    /// Closes the box; `None` if that was done before.
    pub(crate) fn close(&self) -> Option<Leftovers> {
        let sandbox = self
            .sandbox
            .lock()
            .expect("no holder of this lock panics")
            .take();
        sandbox.map(Sandbox::close)
    }
}

impl Bench {
    pub(crate) fn new(
        session: Arc<Session>,
        lab: &'static str,
        seat: &Path,
        seed: u64,
        has_orders: bool,
    ) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        // Rungs with a private root bind the seat at a fixed place; without one it is where it is.
        let seat = if session.level.has_private_root() {
            Path::new(SEAT)
        } else {
            seat
        };
        Self {
            session,
            lab,
            seat: seat.to_owned(),
            has_orders,
            rng: Mutex::new(rng),
        }
    }

    /// The submission's program.
    pub fn program<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(&self, args: I) -> Launch {
        self.launch(self.lab, self.seat.join(self.lab), true)
            .args(args)
    }

    /// The probe linked with the submission's library.
    pub fn probe(&self) -> Launch {
        self.launch("probe", self.seat.join("probe"), true)
    }

    /// The submission's library on loom, behind a probe that tries it in every order of memory. It
    /// is not there if the library does not compile so.
    pub fn orders(&self) -> Check<Launch> {
        if self.has_orders {
            return Ok(self.launch(ORDERS, self.seat.join(ORDERS), true));
        }
        Err(found(
            Symptom::Mechanism,
            "building the library on loom, a model checker for memory orders",
            "it compiles with loom's types in place of those in src/sync.rs",
            "it does not: it must use what src/sync.rs offers, and nothing else in its place",
        ))
    }

    /// A tool of the system, inside the box: `/bin/sh`, `/usr/bin/head`.
    pub fn tool(&self, path: &str) -> Launch {
        self.launch(path, path.into(), false)
    }

    /// The path of the submission's program inside the box, for programs that start it.
    pub fn program_path(&self) -> PathBuf {
        self.seat.join(self.lab)
    }

    fn launch(&self, name: &str, path: PathBuf, is_submission: bool) -> Launch {
        let mut command = Command::new(path);
        command.cwd = Some(self.session.work_dir.clone());
        command.env = vec![
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("LANG".into(), "C.UTF-8".into()),
            // glibc sets 64 MiB of addresses aside for each thread that allocates, for up to eight
            // threads a processor. Whether a program with many threads fits into its box must not
            // depend on the number of processors.
            ("MALLOC_ARENA_MAX".into(), "2".into()),
        ];
        Launch::new(Arc::clone(&self.session), name, command, is_submission)
    }

    /// The work folder of the box: the same path for the test and for the programs.
    pub fn dir(&self) -> &Path {
        &self.session.work_dir
    }

    /// A fresh folder in the work folder that the programs may write to.
    pub fn folder(&self, tag: &str) -> Check<PathBuf> {
        let folder = self.dir().join(self.unique(tag));
        std::fs::create_dir(&folder)?;
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o777))?;
        Ok(folder)
    }

    /// A name for an IPC object, unique on this machine: `/ring-5f1c20`.
    pub fn name(&self, tag: &str) -> String {
        format!("/{}", self.unique(tag))
    }

    fn unique(&self, tag: &str) -> String {
        format!("{tag}-{:08x}", self.rng().next_u32())
    }

    /// Random bytes that nobody could know before this run.
    pub fn bytes(&self, n_bytes: usize) -> Vec<u8> {
        let mut bytes = vec![0; n_bytes];
        self.rng().fill_bytes(&mut bytes);
        bytes
    }

    /// A random number in `range`.
    pub fn number(&self, range: std::ops::Range<u64>) -> u64 {
        self.rng().random_range(range)
    }

    /// Checks a property on `cases` random values; a failure shows the smallest failing one.
    pub fn property<S: Strategy>(
        &self,
        cases: u32,
        strategy: S,
        body: impl Fn(S::Value) -> Check,
    ) -> Check
    where
        S::Value: Debug,
    {
        let mut seed = [0; 32];
        self.rng().fill_bytes(&mut seed);
        let recorded = RefCell::new(Vec::new());
        let body = |value| {
            let n_before = self.session.watches().len();
            let checked = body(value);
            if checked.is_err() {
                let timeline = self.session.timeline_since(n_before);
                recorded.borrow_mut().push(timeline);
            }
            checked
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        crate::property::run(rng, cases, strategy, body).map_err(|example| {
            if let Some(failure) = example.failure {
                let timeline = recorded.borrow_mut().swap_remove(failure);
                self.session.show(timeline);
            }
            example.stop
        })
    }

    /// Ends the test where programs have no /proc, by which a handout tells them to open a descriptor
    /// again: what they cannot do there is not their fault.
    pub fn needs_proc_in_the_box(&self) -> Check {
        match self.session.level {
            Level::C => Err(Stop::Unavailable(
                "there is no /proc in the box on level C".into(),
            )),
            _ => Ok(()),
        }
    }

    /// Waits until `condition` holds: a state of the kernel, never a time. The watchdog gives up
    /// for it.
    pub fn until(&self, condition: impl FnMut() -> bool) {
        clock::until(condition);
    }

    fn rng(&self) -> MutexGuard<'_, TestRng> {
        self.rng.lock().expect("no holder of this lock panics")
    }
}
