//! From what a public test left to a verdict, by the same `judge` that decides hidden tests.
//!
//! No clock, no file, no process: the record in, a verdict out.

use coach::record::{Entry, Taught};
use model::{
    Ended, Evidence, Finding, Limits, Program, ProgramEnd, RubricRow, Symptom, Timeline, Verdict,
    judge,
};

use crate::boxed::Answer;

/// The phrase of a stub that was reached.
const STUB: &str = "not yet implemented: ";

/// The verdict on the test that `taught`, with the one command that runs it again.
pub(crate) fn verdict(taught: &Taught, answer: &Answer, level: &str) -> Verdict {
    let (ended, programs) = seen(taught, answer);
    let evidence = Evidence {
        ended,
        programs,
        seed: 0,
        wall_ms: 0,
        cpu_ms: 0,
        isolation: level.to_owned(),
        survivors: 0,
        timeline: Timeline::default(),
        missed: Vec::new(),
    };
    let mut verdict = judge(&row(taught), &evidence);
    if !verdict.outcome.is_pass() {
        verdict.message.again.clone_from(&taught.again);
    }
    verdict
}

/// What the test and its programs printed.
pub(crate) fn output(answer: &Answer) -> String {
    let Answer::Ran { record, .. } = answer else {
        return String::new();
    };
    let printed = coach::record::entries(record)
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Output { text } => Some(text),
            _ => None,
        });
    model::printable(&printed.collect::<String>())
}

fn row(taught: &Taught) -> RubricRow {
    RubricRow {
        id: taught.test.clone(),
        part: taught.part,
        points: 0,
        needs: Vec::new(),
        limits: Limits::DEFAULT,
        why: taught.why.clone(),
        read: taught.read.clone(),
        hint: taught.hints.clone(),
    }
}

fn seen(taught: &Taught, answer: &Answer) -> (Ended, Vec<Program>) {
    let (record, end, output, autopsy) = match answer {
        Answer::Ran {
            record,
            end,
            output,
            autopsy,
        } => (record, end, output, autopsy),
        Answer::NoBox { reason } => return (fault(reason), Vec::new()),
    };
    let entries = coach::record::entries(record);
    let last = entries.iter().rev().find(|entry| is_final(entry));
    match (last, end) {
        (Some(Entry::Passed), _) => (Ended::Clean, Vec::new()),
        (
            Some(Entry::Hung {
                autopsy,
                deadlocked,
            }),
            _,
        ) => (given_up(autopsy, *deadlocked), Vec::new()),
        (
            Some(Entry::Ended {
                code,
                signal,
                words,
            }),
            _,
        ) => ended(taught, *code, *signal, words),
        (Some(_), _) => failed(taught, &entries),
        // The coach itself was stopped.
        (None, None) => (given_up(autopsy, false), Vec::new()),
        (None, Some(end)) if entries.is_empty() || end.starts_with("exit status 101") => {
            let text = format!("the test was not watched: {end}\n{}", output.trim());
            (fault(&text), Vec::new())
        }
        (None, Some(end)) => ended(taught, None, None, end),
    }
}

fn is_final(entry: &Entry) -> bool {
    matches!(
        entry,
        Entry::Passed | Entry::Failed | Entry::Hung { .. } | Entry::Ended { .. }
    )
}

fn fault(text: &str) -> Ended {
    let text = text.to_owned();
    Ended::Fault { text }
}

fn given_up(autopsy: &[String], deadlocked: bool) -> Ended {
    Ended::Deadline {
        autopsy: autopsy.to_vec(),
        deadlocked,
    }
}

fn found(symptom: Symptom, what: String, expected: &str, got: String) -> Ended {
    let expected = expected.to_owned();
    Ended::Found {
        finding: Finding {
            symptom,
            what,
            expected,
            got,
        },
    }
}

/// The process of the test ended before the test did.
fn ended(
    taught: &Taught,
    code: Option<i32>,
    signal: Option<i32>,
    words: &str,
) -> (Ended, Vec<Program>) {
    let what = format!("the process of the test ended before the test did: {words}");
    let (symptom, end) = match (code, signal) {
        (_, Some(signal)) => (Symptom::Wrong, ProgramEnd::Signaled(signal)),
        (code, None) => (Symptom::EarlyExit, ProgramEnd::Exited(code.unwrap_or(0))),
    };
    let ended = found(symptom, what, "the test runs to its end", String::new());
    (ended, vec![program(&taught.test, end, "")])
}

/// A check failed or something panicked: the check says more, if both did.
fn failed(taught: &Taught, entries: &[Entry]) -> (Ended, Vec<Program>) {
    let finding = entries.iter().find_map(|entry| match entry {
        Entry::Found(finding) => Some(finding),
        _ => None,
    });
    if let Some(finding) = finding {
        let Some(words) = last_words(&finding.got) else {
            let finding = finding.clone();
            return (Ended::Found { finding }, Vec::new());
        };
        let finding = Finding {
            got: String::new(),
            ..finding.clone()
        };
        return (
            Ended::Found { finding },
            vec![panicked("the program", words)],
        );
    }
    let panic = entries.iter().find_map(|entry| match entry {
        Entry::Panicked { place, text } => Some((place, text)),
        _ => None,
    });
    let Some((place, text)) = panic else {
        return (fault("the test failed without a word"), Vec::new());
    };
    if text.contains(STUB) && is_own_code(place) {
        let what = format!("the stub at {place} was reached");
        let ended = found(Symptom::Wrong, what, "", String::new());
        return (ended, vec![panicked(&taught.test, text)]);
    }
    if is_own_code(place) {
        let what = format!("your code panicked at {place}");
        let expected = "the test runs to its end";
        let ended = found(Symptom::Wrong, what, expected, String::new());
        return (ended, vec![panicked(&taught.test, text)]);
    }
    let what = format!("a check of the test failed at {place}");
    match last_words(text) {
        Some(words) => {
            let ended = found(Symptom::Wrong, what, "", String::new());
            (ended, vec![panicked("the program", words)])
        }
        None => (found(Symptom::Wrong, what, "", text.clone()), Vec::new()),
    }
}

/// What a check saw of a program that panicked.
fn last_words(seen: &str) -> Option<&str> {
    (seen.contains(STUB) || seen.contains("panicked at ")).then_some(seen)
}

/// Whether the compiler met this place in the student's own files.
fn is_own_code(place: &str) -> bool {
    !place.starts_with('/') && place.contains("src/")
}

fn panicked(name: &str, words: &str) -> Program {
    program(name, ProgramEnd::Exited(101), words)
}

fn program(name: &str, end: ProgramEnd, words: &str) -> Program {
    Program {
        argv: vec![name.to_owned()],
        end,
        ended_by_test: false,
        stderr_tail: words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use model::Outcome;

    use super::*;

    fn outcome_of(entries: &[Entry]) -> (Outcome, String) {
        let record: String = entries
            .iter()
            .map(|entry| serde_json::to_string(entry).unwrap() + "\n")
            .collect();
        let answer = Answer::Ran {
            record,
            end: Some("exit status 101".into()),
            output: String::new(),
            autopsy: Vec::new(),
        };
        let verdict = verdict(&Taught::default(), &answer, "B");
        (verdict.outcome, verdict.message.to_string())
    }

    fn finding(got: &str) -> Entry {
        Entry::Found(Finding {
            symptom: Symptom::Wrong,
            what: "read(2)".into(),
            expected: "8".into(),
            got: got.into(),
        })
    }

    fn panic(place: &str, text: &str) -> Entry {
        let (place, text) = (place.into(), text.into());
        Entry::Panicked { place, text }
    }

    #[test]
    fn a_failed_check_is_a_wrong_answer_and_a_passed_test_passes() {
        assert_eq!(outcome_of(&[finding("3"), Entry::Failed]).0, Outcome::Fail);
        assert_eq!(outcome_of(&[Entry::Passed]).0, Outcome::Pass);
        let second_body_fails = [Entry::Passed, finding("3"), Entry::Failed];
        assert_eq!(outcome_of(&second_body_fails).0, Outcome::Fail);
    }

    #[test]
    fn a_stub_is_not_attempted_in_the_library_and_behind_the_program() {
        let stub = panic(
            "labs/pipes/src/lib.rs:30",
            "not yet implemented: pipes part 2",
        );
        let (outcome, text) = outcome_of(&[stub, Entry::Failed]);
        assert_eq!(outcome, Outcome::NotAttempted);
        assert!(text.contains("labs/pipes/src/lib.rs:30"), "{text}");
        let program = finding("exit status: 101: not yet implemented: pipes part 2");
        assert_eq!(
            outcome_of(&[program, Entry::Failed]).0,
            Outcome::NotAttempted
        );
    }

    #[test]
    fn a_panic_is_a_crash_in_the_students_code_only() {
        let own = panic("labs/pipes/src/lib.rs:30", "index out of bounds");
        assert_eq!(outcome_of(&[own, Entry::Failed]).0, Outcome::Crash);
        let of_the_test = panic("labs/pipes/tests/public.rs:30", "Unexpected stdout");
        assert_eq!(outcome_of(&[of_the_test, Entry::Failed]).0, Outcome::Fail);
    }

    #[test]
    fn hangs_deaths_and_early_exits_are_told_apart() {
        let hung = |deadlocked| Entry::Hung {
            autopsy: vec!["pipes is blocked in read(0)".into()],
            deadlocked,
        };
        assert_eq!(outcome_of(&[hung(true)]).0, Outcome::Deadlock);
        assert_eq!(outcome_of(&[hung(false)]).0, Outcome::Hang);
        let ended = |code, signal| Entry::Ended {
            code,
            signal,
            words: "w".into(),
        };
        assert_eq!(outcome_of(&[ended(Some(0), None)]).0, Outcome::EarlyExit);
        assert_eq!(outcome_of(&[ended(None, Some(7))]).0, Outcome::Crash);
        assert_eq!(outcome_of(&[]).0, Outcome::GraderFault);
    }
}
