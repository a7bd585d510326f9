//! What a submitter is shown of a hidden test and of a changed mark: no more than the course
//! reveals.

use model::{Adjustment, LabGrade, Message, Outcome, Reveal, TestGrade};

/// One test as its submitter sees it.
pub(crate) struct Shown<'a> {
    /// Its id, unless that is hidden.
    pub(crate) name: Option<&'a str>,
    /// How it ended.
    pub(crate) outcome: &'static str,
    /// Its message, as far as it is revealed; empty fields where it is not.
    pub(crate) message: Message,
}

impl<'a> Shown<'a> {
    /// What is shown of this test.
    pub(crate) fn of(test: &'a TestGrade) -> Self {
        Self {
            name: (test.reveal > Reveal::None).then_some(&test.id),
            outcome: match (test.reveal, test.outcome) {
                (Reveal::None, Outcome::Pass) => "pass",
                (Reveal::None, Outcome::GraderFault) => "not final",
                (Reveal::None, Outcome::Unavailable) => "not tested",
                (Reveal::None, _) => "no pass",
                (_, outcome) => outcome.name(),
            },
            message: message(test),
        }
    }

    /// Whether there is anything to tell beyond the outcome.
    pub(crate) fn has_message(&self) -> bool {
        self.message.fields().next().is_some()
    }
}

fn message(test: &TestGrade) -> Message {
    match (test.outcome, test.reveal) {
        // That a skipped test builds on another one says nothing about the work.
        (Outcome::Pass | Outcome::Skipped, _) | (_, Reveal::None) => Message::default(),
        (_, Reveal::Category) => Message {
            why: test.message.why.clone(),
            read: test.message.read.clone(),
            ..Message::default()
        },
        (_, Reveal::Counterexample) => test.message.clone(),
    }
}

/// One changed mark in a sentence, without the name of a hidden test.
pub(crate) fn adjustment(lab: &LabGrade, adjustment: &Adjustment) -> String {
    let is_hidden = |id: &String| {
        let test = lab.tests.iter().find(|test| test.id == *id);
        test.is_some_and(|test| test.reveal == Reveal::None)
    };
    match &adjustment.test {
        Some(id) if is_hidden(id) => sentence(adjustment, "a hidden test: "),
        _ => for_staff(adjustment),
    }
}

/// One changed mark in a sentence.
pub(crate) fn for_staff(adjustment: &Adjustment) -> String {
    let test = adjustment.test.iter().map(|id| format!("{id}: "));
    sentence(adjustment, &test.collect::<String>())
}

fn sentence(adjustment: &Adjustment, target: &str) -> String {
    let Adjustment {
        points,
        what,
        reason,
        author,
        ..
    } = adjustment;
    let who = match author.as_str() {
        "" => String::new(),
        author => format!(" by {author}: {reason}"),
    };
    format!("{points:+} points: {target}{what}{who}")
}
