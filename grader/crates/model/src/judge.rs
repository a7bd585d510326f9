//! From evidence to verdict: no clock, no file, one screen.

use serde::{Deserialize, Serialize};

use crate::{Ended, Evidence, Finding, Message, Outcome, Program, ProgramEnd, RubricRow, Symptom};

/// What a test's evidence comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// How the test ended.
    pub outcome: Outcome,
    /// What the student is told; empty for a pass.
    pub message: Message,
}

/// The verdict on one test. The same evidence always gives the same verdict.
pub fn judge(row: &RubricRow, evidence: &Evidence) -> Verdict {
    let (outcome, finding) = match &evidence.ended {
        Ended::Clean => {
            return Verdict {
                outcome: Outcome::Pass,
                message: Message::default(),
            };
        }
        Ended::Fault { text } => (Outcome::GraderFault, our_fault(text)),
        Ended::Deadline {
            autopsy,
            deadlocked,
        } => (
            stopped_short(&evidence.programs).unwrap_or(match deadlocked {
                true => Outcome::Deadlock,
                false => Outcome::Hang,
            }),
            hung(row, autopsy, *deadlocked),
        ),
        Ended::Found { finding } => (
            stopped_short(&evidence.programs).unwrap_or(match finding.symptom {
                Symptom::Wrong => Outcome::Fail,
                Symptom::Leak => Outcome::Leak,
                Symptom::BusyWait => Outcome::BusyWait,
                Symptom::Mechanism => Outcome::Mechanism,
                Symptom::EarlyExit => Outcome::EarlyExit,
                Symptom::Limit => Outcome::Limit,
                Symptom::Tamper => Outcome::Tamper,
            }),
            finding.clone(),
        ),
    };
    let Finding {
        what,
        expected,
        mut got,
        ..
    } = finding;
    if let Some(last_words) = last_words(outcome, &evidence.programs) {
        got = if got.is_empty() {
            last_words
        } else {
            format!("{got}\n{last_words}")
        };
    }
    Verdict {
        outcome,
        message: Message {
            what,
            expected,
            got,
            why: row.why.clone(),
            read: row.read.clone(),
            again: String::new(),
        },
    }
}

/// A program that panicked, met its stub or was killed explains the finding better than the
/// finding itself: the wrong answer is then only a consequence.
fn stopped_short(programs: &[Program]) -> Option<Outcome> {
    programs
        .iter()
        .filter(|program| !program.ended_by_test)
        .find_map(cause_of_death)
}

fn cause_of_death(program: &Program) -> Option<Outcome> {
    match program.end {
        ProgramEnd::Exited(101) if is_stub(program) => Some(Outcome::NotAttempted),
        ProgramEnd::Exited(101) => Some(Outcome::Crash),
        // SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS: only a fault of the program's own.
        ProgramEnd::Signaled(4 | 6 | 7 | 8 | 11 | 31) if is_stub(program) => {
            Some(Outcome::NotAttempted)
        }
        ProgramEnd::Signaled(4 | 6 | 7 | 8 | 11 | 31) => Some(Outcome::Crash),
        // SIGXCPU and SIGXFSZ: the limits of the box.
        ProgramEnd::Signaled(24 | 25) => Some(Outcome::Limit),
        _ => None,
    }
}

/// The text `todo!` panics with. A submission may forge it: it only says "no points" of itself.
fn is_stub(program: &Program) -> bool {
    program.stderr_tail.contains("not yet implemented: ")
}

/// The last words of the program that explains the outcome.
fn last_words(outcome: Outcome, programs: &[Program]) -> Option<String> {
    let program = programs
        .iter()
        .filter(|program| !program.ended_by_test)
        .find(|program| cause_of_death(program) == Some(outcome))?;
    let how = match program.end {
        ProgramEnd::Running => return None,
        ProgramEnd::Exited(code) => format!("exited with {code}"),
        ProgramEnd::Signaled(signal) => format!("was killed by signal {signal}"),
    };
    let stderr = program.stderr_tail.trim();
    let said = if stderr.is_empty() {
        String::new()
    } else {
        format!(", saying:\n{stderr}")
    };
    Some(format!("`{}` {how}{said}", program.argv.join(" ")))
}

fn our_fault(text: &str) -> Finding {
    Finding {
        symptom: Symptom::Wrong,
        what: format!("the grader failed, not the submission: {text}"),
        expected: String::new(),
        got: String::new(),
    }
}

fn hung(row: &RubricRow, autopsy: &[String], deadlocked: bool) -> Finding {
    let seconds = row.limits.deadline_ms as f64 / 1000.0;
    Finding {
        symptom: Symptom::Wrong,
        what: match autopsy {
            [] => "every program has ended, and the test still waits for something".into(),
            lines => lines.join("\n"),
        },
        expected: "the test ends by itself".into(),
        got: if deadlocked {
            "a deadlock: everybody sleeps without a timer, so nothing can ever move again".into()
        } else {
            format!("still waiting after {seconds} s")
        },
    }
}
