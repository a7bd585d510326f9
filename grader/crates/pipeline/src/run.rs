//! Runs hidden tests: one verdict process a test, several at a time, dependants after their base.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use model::{Ended, Evidence, Message, Outcome, RubricRow, Timeline, Verdict, judge};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sandbox::{Level, killed_for_memory};
use serde::Serialize;

use crate::board::{Board, Turn};
use crate::slots::{LONG, Slots, Taken};
use crate::{BuildMode, Kit, Stopped};

/// How submissions are built and hidden tests are run.
#[derive(Clone, Debug)]
pub struct TestOptions {
    /// Who calls rustc.
    pub build: BuildMode,
    /// The isolation rung.
    pub level: Level,
    /// Only these tests; all if empty.
    pub only: Vec<String>,
    /// The seed of every test; a fresh one each if absent.
    pub seed: Option<u64>,
    /// Tests of one seat that run at a time. Most of them wait most of the time. Where boxes are
    /// not safe from each other, it is one, and one seat at a time.
    pub parallel: usize,
    /// Compilers and tests of all seats that run at a time.
    pub slots: Slots,
}

/// Tests of one seat mostly wait, so several of them share a core.
const TESTS_AT_A_TIME: usize = 4;

impl TestOptions {
    /// All tests with a fresh seed each, as many at a time as so many cores are good for.
    pub fn new(level: Level, n_cores: usize) -> Self {
        Self {
            build: BuildMode::default(),
            level,
            only: Vec::new(),
            seed: None,
            parallel: TESTS_AT_A_TIME,
            slots: Slots::new(n_cores, TESTS_AT_A_TIME),
        }
    }

    /// How many boxes may be open at a time where so many are wanted: the fork bomb of one must
    /// not fail another's fork, nor its leftovers be found by another.
    pub(crate) fn at_a_time(&self, wanted: usize) -> usize {
        match self.level.shares_one_user() {
            true => 1,
            false => wanted.max(1),
        }
    }
}

/// A test's verdict and what it was made from; a skipped test has no evidence.
pub(crate) type Judged = (Verdict, Option<Evidence>);

/// Runs the tests of a rubric that are not `known` yet, and calls `done` for each as it ends.
///
/// A test starts once the tests it needs have passed, and is skipped when one of them has not.
///
/// # Errors
/// The first error of `done`, or that the run was stopped; no further test is started then.
pub(crate) fn run_tests<E: Send + From<Stopped>>(
    kit: &Kit,
    programs: &Path,
    options: &TestOptions,
    known: BTreeMap<String, Outcome>,
    done: impl Fn(&RubricRow, Judged) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let rows = kit.rubric.rows.iter();
    let wanted = |row: &&RubricRow| options.only.is_empty() || options.only.contains(&row.id);
    let board = Board::new(rows.filter(wanted).collect(), known);
    thread::scope(|scope| {
        for _ in 0..options.at_a_time(options.parallel) {
            scope.spawn(|| {
                while let Some((row, turn)) = board.next() {
                    let killed_before = killed_for_memory();
                    let judged = match turn {
                        Turn::First => run_test(kit, programs, options, row, options.slots.one()),
                        Turn::Alone => run_test(kit, programs, options, row, options.slots.core()),
                        Turn::Skip(ref base) => (skipped(base), None),
                    };
                    // What was cut off by the stop has no verdict, neither this one nor a fault.
                    let is_cut = judged.0.outcome == Outcome::GraderFault;
                    if is_cut && let Err(stopped) = kit.stop.check() {
                        board.finished(row, Outcome::GraderFault, Err(stopped.into()));
                        continue;
                    }
                    // A crowded machine may have been the reason: it counts only when it happens
                    // to the test alone, too.
                    let may_be_the_crowd = match judged.0.outcome {
                        Outcome::Pass | Outcome::Skipped => false,
                        Outcome::Hang | Outcome::GraderFault => true,
                        // Whoever took the memory, the kernel may have killed somebody else.
                        _ => killed_for_memory() != killed_before,
                    };
                    if turn == Turn::First && may_be_the_crowd {
                        board.again(row);
                        continue;
                    }
                    let outcome = judged.0.outcome;
                    board.finished(row, outcome, done(row, judged));
                }
            });
        }
    });
    board.into_result()
}

fn skipped(base: &str) -> Verdict {
    let what = format!("not run: it builds on {base}, which did not pass");
    Verdict {
        outcome: Outcome::Skipped,
        message: Message {
            what,
            ..Message::default()
        },
    }
}

/// One test's verdict.
fn run_test(
    kit: &Kit,
    programs: &Path,
    options: &TestOptions,
    row: &RubricRow,
    slot: Taken,
) -> Judged {
    let evidence = collect(kit, programs, options, row, slot);
    let mut verdict = judge(row, &evidence);
    if !verdict.outcome.is_pass() {
        verdict.message.again = format!(
            "cargo lab grade SUBMISSIONS --run NEW_RUN --lab {} --test {} --seed {}",
            kit.lab.name, row.id, evidence.seed
        );
    }
    (verdict, Some(evidence))
}

/// What the verdict program reads: see `harness::Request`. The two meet only as this record.
#[derive(Serialize)]
struct Request<'a> {
    test: &'a str,
    seat: &'a Path,
    level: String,
    seed: u64,
}

impl<'a> Request<'a> {
    fn new(programs: &'a Path, options: &TestOptions, row: &'a RubricRow) -> Self {
        Self {
            test: &row.id,
            seat: programs,
            level: options.level.to_string(),
            seed: options.seed.unwrap_or_else(fresh_seed),
        }
    }
}

/// Starts a test's program as grading does, and reads what it says, but nobody judges it.
pub(crate) fn bare_test(
    kit: &Kit,
    programs: &Path,
    options: &TestOptions,
    row: &RubricRow,
) -> io::Result<()> {
    let request = Request::new(programs, options, row);
    let mut command = Command::new(&kit.verdict_program);
    command.env_clear().stdin(Stdio::piped());
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(&serde_json::to_vec(&request)?)?;
    drop(stdin);
    child.wait().map(drop)
}

fn collect(
    kit: &Kit,
    programs: &Path,
    options: &TestOptions,
    row: &RubricRow,
    slot: Taken,
) -> Evidence {
    let request = Request::new(programs, options, row);
    let (seed, level) = (request.seed, request.level.clone());
    let limit = Duration::from_millis(row.limits.deadline_ms) + GRACE;
    let started = Instant::now();
    ask(kit, &request, limit, slot).unwrap_or_else(|error| Evidence {
        ended: Ended::Fault {
            text: format!("the verdict program: {error}"),
        },
        programs: Vec::new(),
        seed,
        wall_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        cpu_ms: 0,
        isolation: level,
        survivors: 0,
        timeline: Timeline::default(),
        missed: Vec::new(),
    })
}

/// So much longer than the test's own deadline may its verdict program take.
const GRACE: Duration = Duration::from_secs(20);

/// Most bytes of evidence that are read.
const MAX_EVIDENCE: u64 = 4 << 20;

fn ask(kit: &Kit, request: &Request<'_>, limit: Duration, mut slot: Taken) -> io::Result<Evidence> {
    let mut command = Command::new(&kit.verdict_program);
    command
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut running = kit.stop.start(&mut command)?;
    let asked = serde_json::to_vec(request)?;
    running
        .child
        .stdin
        .take()
        .expect("stdin is piped")
        .write_all(&asked)?;
    let mut record = running.child.stdout.take().expect("stdout is piped");
    let mut line = Vec::new();
    let started = Instant::now();
    let mut lent_at = Some(started + LONG);
    while !line.ends_with(b"\n") {
        let until = lent_at.unwrap_or(started + limit);
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() && lent_at.take().is_some() {
            slot.lend();
            continue;
        }
        let mut readable = [PollFd::new(record.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        if left.is_zero() {
            return Err(io::Error::other("it did not answer in time"));
        }
        if poll(&mut readable, timeout)? == 0 {
            continue;
        }
        let mut chunk = [0; 8192];
        let n_read = record.read(&mut chunk)?;
        if n_read == 0 || line.len() as u64 > MAX_EVIDENCE {
            let status = running.wait()?;
            return Err(io::Error::other(format!(
                "it ended with {status} and no evidence"
            )));
        }
        line.extend_from_slice(&chunk[..n_read]);
    }
    Ok(serde_json::from_slice(&line)?)
}

fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // Every RandomState has keys of its own from the system's randomness.
    // 53 bits, so that every reader of JSON keeps them all.
    RandomState::new().hash_one(std::process::id()) >> 11
}

#[cfg(test)]
mod tests;
