//! Which message must name the mistake of a wrong solution, and with what.

use model::{Clock, Limits, Timeline, TimelineRow};

use super::*;

const TESTS: [&str; 3] = ["first", "second", "third"];

fn rubric() -> Rubric {
    let row = |id: &str| RubricRow {
        id: id.into(),
        part: 1,
        points: 1,
        needs: Vec::new(),
        limits: Limits::DEFAULT,
        why: String::new(),
        read: String::new(),
        hint: Default::default(),
    };
    Rubric {
        lab: "lab".into(),
        rows: TESTS.map(row).into(),
    }
}

fn wrong(headers: &str) -> WrongSolution {
    let diff = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1 +1 @@\n-a\n+b\n";
    WrongSolution::parse(
        "m1",
        &format!("WHY: b\n{headers}\nPHRASE: <- EINTR\n{diff}"),
    )
    .unwrap()
}

fn failed(message: Message) -> Verdict {
    Verdict {
        outcome: Outcome::Fail,
        message,
    }
}

/// A failed test whose `got` is `got`.
fn got(got: &str) -> Verdict {
    failed(Message {
        got: got.into(),
        ..Message::default()
    })
}

fn unsaid_by(headers: &str, tests: &[(&str, Verdict)]) -> Option<String> {
    let tests = tests
        .iter()
        .map(|(id, test)| ((*id).to_owned(), test.clone()));
    unsaid(&wrong(headers), &rubric(), &tests.collect())
}

#[test]
fn the_test_that_is_read_first_names_the_mistake() {
    let headers = "CAUGHT-BY: third, second\nBY-CHANCE: first";
    let silent = [
        ("first", got("<- EINTR")),
        ("second", got("3 bytes")),
        ("third", got("<- EINTR")),
    ];
    let complaint = unsaid_by(headers, &silent).unwrap();
    assert!(
        complaint.starts_with("second, which is read first"),
        "{complaint}"
    );
    let telling = [("second", got("recv <- EINTR")), ("third", got("3 bytes"))];
    assert_eq!(unsaid_by(headers, &telling), None);
}

#[test]
fn what_is_said_however_the_test_fails_does_not_name_it() {
    let headers = "CAUGHT-BY: first";
    let row = TimelineRow {
        at: 1,
        column: 0,
        text: "recv(5)".into(),
        effect: Some("EINTR".into()),
        after_gap: false,
    };
    let message = Message {
        why: "recv <- EINTR".into(),
        again: "again <- EINTR".into(),
        read: "recv(2) <- EINTR".into(),
        timeline: Timeline {
            clock: Clock::Microseconds,
            columns: vec!["echo".into()],
            rows: vec![row],
        },
        ..Message::default()
    };
    assert!(message.to_string().contains("recv(5) <- EINTR"));
    assert!(unsaid_by(headers, &[("first", failed(message))]).is_some());
}

#[test]
fn a_test_that_was_not_run_says_nothing_and_is_not_asked() {
    let headers = "CAUGHT-BY: first, second";
    assert_eq!(unsaid_by(headers, &[("second", got("3 bytes"))]), None);
}
