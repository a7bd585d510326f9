//! Runs hidden tests: one verdict process a test, several at a time, dependants after their base.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use model::{Ended, Evidence, Message, Outcome, RubricRow, Timeline, Verdict, judge};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sandbox::Level;
use serde::Serialize;

use crate::Kit;
use crate::board::{Board, Turn};

/// How hidden tests are run.
#[derive(Clone, Debug)]
pub struct TestOptions {
    /// The isolation rung.
    pub level: Level,
    /// Only these tests; all if empty.
    pub only: Vec<String>,
    /// The seed of every test; a fresh one each if absent.
    pub seed: Option<u64>,
    /// Tests of one seat that run at a time. Most of them wait most of the time.
    pub parallel: usize,
}

/// A test's verdict and what it was made from; a skipped test has no evidence.
pub(crate) type Judged = (Verdict, Option<Evidence>);

/// Runs the tests of a rubric that are not `known` yet, and calls `done` for each as it ends.
///
/// A test starts once the tests it needs have passed, and is skipped when one of them has not.
///
/// # Errors
/// The first error of `done`; no further test is started then.
pub(crate) fn run_tests<E: Send>(
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
        for _ in 0..options.parallel.max(1) {
            scope.spawn(|| {
                while let Some((row, turn)) = board.next() {
                    let judged = match turn {
                        Turn::First | Turn::Alone => run_test(kit, programs, options, row),
                        Turn::Skip(ref base) => (skipped(base), None),
                    };
                    // A crowded machine may have been the reason: it counts only when it happens
                    // to the test alone, too.
                    if turn == Turn::First && judged.0.outcome == Outcome::Hang {
                        board.hung(row);
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

/// One test's verdict. A fault of ours is tried once more before it is reported.
fn run_test(kit: &Kit, programs: &Path, options: &TestOptions, row: &RubricRow) -> Judged {
    let mut evidence = collect(kit, programs, options, row);
    if matches!(evidence.ended, Ended::Fault { .. }) {
        evidence = collect(kit, programs, options, row);
    }
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

fn collect(kit: &Kit, programs: &Path, options: &TestOptions, row: &RubricRow) -> Evidence {
    let seed = options.seed.unwrap_or_else(fresh_seed);
    let level = options.level.to_string();
    let request = Request {
        test: &row.id,
        seat: programs,
        level: level.clone(),
        seed,
    };
    let limit = Duration::from_millis(row.limits.deadline_ms) + GRACE;
    let started = Instant::now();
    ask(&kit.verdict_program, &request, limit).unwrap_or_else(|error| Evidence {
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

fn ask(program: &Path, request: &Request<'_>, limit: Duration) -> io::Result<Evidence> {
    let child = Command::new(program)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut child = Killed(child);
    let asked = serde_json::to_vec(request)?;
    child
        .0
        .stdin
        .take()
        .expect("stdin is piped")
        .write_all(&asked)?;
    let mut record = child.0.stdout.take().expect("stdout is piped");
    let mut line = Vec::new();
    let deadline = Instant::now() + limit;
    while !line.ends_with(b"\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut readable = [PollFd::new(record.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        if left.is_zero() || poll(&mut readable, timeout)? == 0 {
            return Err(io::Error::other("it did not answer in time"));
        }
        let mut chunk = [0; 8192];
        let n_read = record.read(&mut chunk)?;
        if n_read == 0 || line.len() as u64 > MAX_EVIDENCE {
            let status = child.0.wait()?;
            return Err(io::Error::other(format!(
                "it ended with {status} and no evidence"
            )));
        }
        line.extend_from_slice(&chunk[..n_read]);
    }
    Ok(serde_json::from_slice(&line)?)
}

/// A child that does not outlive its user.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // Every RandomState has keys of its own from the system's randomness.
    // 53 bits, so that every reader of JSON keeps them all.
    RandomState::new().hash_one(std::process::id()) >> 11
}
