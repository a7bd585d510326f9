//! From evidence to verdict: no clock, no file, one screen.

use serde::{Deserialize, Serialize};

use crate::{
    Ended, Evidence, Finding, Message, Outcome, Program, ProgramEnd, RubricRow, Symptom, printable,
};

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
        Ended::Unavailable { text } => (Outcome::Unavailable, not_here(text)),
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
        Ended::Found { finding } => (found(finding.symptom, &evidence.programs), finding.clone()),
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
            what: printable(&what),
            expected: printable(&expected),
            got: printable(&got),
            why: row.why.clone(),
            read: row.read.clone(),
            again: String::new(),
            timeline: evidence.timeline.printable(),
        },
    }
}

/// The outcome of a finding. A flood and a reach for the grader stay what they are, also when the
/// program panics over them.
fn found(symptom: Symptom, programs: &[Program]) -> Outcome {
    let outcome = match symptom {
        Symptom::Limit => return Outcome::Limit,
        Symptom::Tamper => return Outcome::Tamper,
        Symptom::Wrong => Outcome::Fail,
        Symptom::Leak => Outcome::Leak,
        Symptom::BusyWait => Outcome::BusyWait,
        Symptom::Mechanism => Outcome::Mechanism,
        Symptom::EarlyExit => Outcome::EarlyExit,
    };
    stopped_short(programs).unwrap_or(outcome)
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

fn not_here(text: &str) -> Finding {
    Finding {
        symptom: Symptom::Wrong,
        what: format!("not tested: this machine lacks what the test needs: {text}"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Timeline};

    fn row() -> RubricRow {
        RubricRow {
            id: "eof_arrives".into(),
            part: 3,
            points: 2,
            needs: Vec::new(),
            limits: Limits::DEFAULT,
            why: "only read(2) = 0 is the end".into(),
            read: "README part 3".into(),
            hint: Default::default(),
        }
    }

    fn program(end: ProgramEnd, stderr: &str) -> Program {
        Program {
            argv: vec!["pipes".into(), "cat".into()],
            end,
            ended_by_test: false,
            stderr_tail: stderr.into(),
        }
    }

    fn outcome(ended: Ended, programs: Vec<Program>) -> Outcome {
        let evidence = Evidence {
            ended,
            programs,
            seed: 1,
            wall_ms: 1,
            cpu_ms: 1,
            isolation: "B".into(),
            survivors: 0,
            timeline: Timeline::default(),
            missed: Vec::new(),
        };
        judge(&row(), &evidence).outcome
    }

    fn finding(symptom: Symptom) -> Ended {
        let (what, expected, got) = ("w".into(), "e".into(), "g".into());
        Ended::Found {
            finding: Finding {
                symptom,
                what,
                expected,
                got,
            },
        }
    }

    fn deadline(deadlocked: bool) -> Ended {
        Ended::Deadline {
            autopsy: vec!["pipes is blocked in read(0)".into()],
            deadlocked,
        }
    }

    #[test]
    fn every_symptom_has_its_outcome() {
        for (symptom, expected) in [
            (Symptom::Wrong, Outcome::Fail),
            (Symptom::Leak, Outcome::Leak),
            (Symptom::BusyWait, Outcome::BusyWait),
            (Symptom::Mechanism, Outcome::Mechanism),
            (Symptom::EarlyExit, Outcome::EarlyExit),
            (Symptom::Limit, Outcome::Limit),
            (Symptom::Tamper, Outcome::Tamper),
        ] {
            let ended_well = vec![program(ProgramEnd::Exited(0), "")];
            assert_eq!(outcome(finding(symptom), ended_well), expected);
        }
    }

    #[test]
    fn what_a_program_died_of_explains_a_finding_better_than_the_finding() {
        let stub = "thread 'main' panicked at src/lib.rs:9:5:\nnot yet implemented: pipes part 1";
        for (end, stderr, expected) in [
            (ProgramEnd::Exited(101), stub, Outcome::NotAttempted),
            (ProgramEnd::Signaled(6), stub, Outcome::NotAttempted),
            (
                ProgramEnd::Exited(101),
                "panicked at 'index'",
                Outcome::Crash,
            ),
            (ProgramEnd::Signaled(11), "", Outcome::Crash),
            (ProgramEnd::Signaled(7), "", Outcome::Crash),
            (ProgramEnd::Signaled(25), "", Outcome::Limit),
            (
                ProgramEnd::Exited(1),
                "pipes: write: Broken pipe",
                Outcome::Fail,
            ),
            (ProgramEnd::Signaled(15), "", Outcome::Fail),
        ] {
            assert_eq!(
                outcome(finding(Symptom::Wrong), vec![program(end, stderr)]),
                expected
            );
        }
    }

    #[test]
    fn a_flood_stays_a_limit_when_the_program_panics_over_its_closed_output() {
        let panicked = vec![program(
            ProgramEnd::Exited(101),
            "failed printing to stdout",
        )];
        assert_eq!(outcome(finding(Symptom::Limit), panicked), Outcome::Limit);
    }

    #[test]
    fn a_death_that_the_test_caused_explains_nothing() {
        let killed = Program {
            ended_by_test: true,
            ..program(ProgramEnd::Signaled(6), "")
        };
        assert_eq!(outcome(finding(Symptom::Leak), vec![killed]), Outcome::Leak);
    }

    #[test]
    fn a_pass_stays_a_pass_however_a_program_ended() {
        let panicked = vec![program(ProgramEnd::Exited(101), "")];
        assert_eq!(outcome(Ended::Clean, panicked), Outcome::Pass);
    }

    #[test]
    fn a_deadline_is_a_hang_and_a_standstill_a_deadlock() {
        let running = || vec![program(ProgramEnd::Running, "")];
        assert_eq!(outcome(deadline(false), running()), Outcome::Hang);
        assert_eq!(outcome(deadline(true), running()), Outcome::Deadlock);
    }

    #[test]
    fn a_missing_instrument_is_neither_a_pass_nor_a_failure() {
        let text = "no announcements".into();
        let panicked = vec![program(ProgramEnd::Exited(101), "")];
        let ended = Ended::Unavailable { text };
        assert_eq!(outcome(ended, panicked), Outcome::Unavailable);
    }

    #[test]
    fn our_own_fault_is_never_the_submissions() {
        let panicked = vec![program(ProgramEnd::Exited(101), "")];
        assert_eq!(
            outcome(
                Ended::Fault {
                    text: "no box".into()
                },
                panicked
            ),
            Outcome::GraderFault
        );
    }
}
