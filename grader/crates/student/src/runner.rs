//! Runs public tests, each in a box of its own, several at a time.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use coach::record::{Entry, Taught};
use sandbox::Level;

use crate::boxed::{Answer, COMMAND, Request};
use crate::build::Built;
use crate::event::{Tested, Walls};
use crate::evidence;

/// Tests mostly wait, so several of them share a core; as many as when a lab is graded.
const AT_A_TIME: usize = 4;

/// Why tests could not be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// This program could not start itself again.
    #[error("starting this program again for a test: {0}")]
    Start(#[from] io::Error),
    /// The process that opens the box died.
    #[error("the process that opens the box gave no answer: {0}")]
    Answer(#[from] serde_json::Error),
    /// Not even without a box.
    #[error("the public tests do not run here: {0}")]
    NotAtAll(String),
}

/// Asks the process that opens boxes.
fn ask(request: &Request) -> Result<Answer, RunError> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(COMMAND)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(&serde_json::to_vec(request)?)?;
    }
    let output = child.wait_with_output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The best box of this machine, and why it is weaker than what labs are graded in.
pub(crate) fn best_walls() -> io::Result<Walls> {
    let helper = std::env::current_exe()?;
    let mut missing = Vec::new();
    // Public tests read /proc, which level C has not.
    for level in Level::ISOLATING
        .into_iter()
        .filter(|level| *level != Level::C)
    {
        match sandbox::try_level(&helper, level) {
            Ok(()) => {
                let level = level.to_string();
                return Ok(Walls { level, missing });
            }
            // Control groups only count better: every name is private with level B already.
            Err(refusal) if refusal.level == Level::A => {}
            Err(refusal) => missing.push(format!("{}: {}", refusal.level, refusal.reason)),
        }
    }
    let level = Level::None.to_string();
    Ok(Walls { level, missing })
}

/// What the tests teach, by part, and the walls that they really run in: a box that cannot reach
/// the programs is none.
pub(crate) fn lessons(built: &Built, walls: Walls) -> Result<(Vec<Taught>, Walls), RunError> {
    let reason = match list(built, &walls.level)? {
        Ok(lessons) => return Ok((lessons, walls)),
        Err(reason) => reason,
    };
    let reason = format!(
        "the box of level {} does not run them: {reason}",
        walls.level
    );
    let walls = Walls {
        level: Level::None.to_string(),
        missing: vec![reason],
    };
    match list(built, &walls.level)? {
        Ok(lessons) => Ok((lessons, walls)),
        Err(reason) => Err(RunError::NotAtAll(reason)),
    }
}

fn list(built: &Built, level: &str) -> Result<Result<Vec<Taught>, String>, RunError> {
    let answer = ask(&Request {
        level: level.to_owned(),
        built: built.clone(),
        test: None,
    })?;
    let (record, end, output) = match answer {
        Answer::NoBox { reason } => return Ok(Err(reason)),
        Answer::Ran {
            record,
            end,
            output,
            ..
        } => (record, end, output),
    };
    let entries = coach::record::entries(&record).into_iter();
    let mut lessons: Vec<Taught> = entries
        .filter_map(|entry| match entry {
            Entry::Lesson(taught) => Some(taught),
            _ => None,
        })
        .collect();
    if lessons.is_empty() {
        let end = end.unwrap_or_else(|| "it did not end".to_owned());
        return Ok(Err(format!("{end}: {}", output.trim())));
    }
    lessons.sort_by(|a, b| (a.part, &a.test).cmp(&(b.part, &b.test)));
    Ok(Ok(lessons))
}

/// Runs these tests of `lab` and calls `tell` as each gets its verdict.
pub(crate) fn run(
    lab: &str,
    built: &Built,
    walls: &Walls,
    lessons: &[Taught],
    tell: &(dyn Fn(&Tested) + Sync),
) -> Result<Vec<Tested>, RunError> {
    let queue = Mutex::new(lessons.iter());
    let results: Mutex<Vec<Result<Tested, RunError>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME.min(lessons.len()) {
            scope.spawn(|| {
                while let Some(taught) = next(&queue) {
                    let tested = run_one(lab, built, walls, taught);
                    if let Ok(tested) = &tested {
                        tell(tested);
                    }
                    results.lock().expect("no holder panics").push(tested);
                }
            });
        }
    });
    results
        .into_inner()
        .expect("no holder panics")
        .into_iter()
        .collect()
}

fn next<'a>(queue: &Mutex<std::slice::Iter<'a, Taught>>) -> Option<&'a Taught> {
    queue.lock().expect("no holder panics").next()
}

fn run_one(lab: &str, built: &Built, walls: &Walls, taught: &Taught) -> Result<Tested, RunError> {
    let began = Instant::now();
    let answer = ask(&Request {
        level: walls.level.clone(),
        built: built.clone(),
        test: Some(taught.test.clone()),
    })?;
    Ok(Tested {
        lab: lab.to_owned(),
        taught: taught.clone(),
        verdict: evidence::verdict(taught, &answer, &walls.level),
        output: evidence::output(&answer),
        wall_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}
