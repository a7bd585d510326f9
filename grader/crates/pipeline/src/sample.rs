//! A journal's records for the tests of this crate: alice has handed in pipes, which is the tests a
//! and b.

use model::{Limits, Message, Outcome, Record, Rubric, RubricRow, Verdict};

/// What a journal begins with.
pub(crate) fn header() -> Record {
    Record::Run {
        version: 1,
        course: "c".into(),
        isolation: "B".into(),
        rubrics: vec![Rubric {
            lab: "pipes".into(),
            rows: vec![row("a"), row("b")],
        }],
    }
}

fn row(id: &str) -> RubricRow {
    RubricRow {
        id: id.into(),
        part: 1,
        points: 2,
        needs: Vec::new(),
        limits: Limits::DEFAULT,
        why: String::new(),
        read: String::new(),
        hint: Default::default(),
    }
}

/// Her verdict on a test, which says `what`.
pub(crate) fn test(source: &str, id: &str, outcome: Outcome, what: String) -> Record {
    let message = Message {
        what,
        ..Message::default()
    };
    Record::Test {
        submission: "alice".into(),
        lab: "pipes".into(),
        source: source.into(),
        test: id.into(),
        verdict: Verdict { outcome, message },
        evidence: None,
    }
}
