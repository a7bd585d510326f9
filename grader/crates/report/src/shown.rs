//! What a submitter is shown of a hidden test and of a changed mark: no more than the course
//! reveals.

use model::{Adjustment, LabGrade, Outcome, Reveal, TestGrade, Timeline};

/// One test as its submitter sees it.
pub(crate) struct Shown<'a> {
    /// Its id, unless that is hidden.
    pub(crate) name: Option<&'a str>,
    /// How it ended.
    pub(crate) outcome: &'static str,
    /// Labelled fields of its message.
    pub(crate) fields: Vec<(&'static str, &'a str)>,
    /// The recorded calls, which tell what the test did.
    timeline: Option<&'a Timeline>,
}

impl<'a> Shown<'a> {
    /// What is shown of this test.
    pub(crate) fn of(test: &'a TestGrade) -> Self {
        let silent = matches!(test.outcome, Outcome::Pass | Outcome::Skipped);
        let revealed = |label: &str| match test.reveal {
            Reveal::None => false,
            Reveal::Category => matches!(label, "why" | "read"),
            Reveal::Counterexample => true,
        };
        let fields = test.message.fields();
        Self {
            name: (test.reveal > Reveal::None).then_some(&test.id),
            outcome: match (test.reveal, test.outcome) {
                (Reveal::None, Outcome::Pass) => "pass",
                (Reveal::None, Outcome::GraderFault) => "not final",
                (Reveal::None, _) => "no pass",
                (_, outcome) => outcome.name(),
            },
            fields: fields
                .filter(|(label, _)| !silent && revealed(label))
                .collect(),
            timeline: Some(&test.message.timeline).filter(|timeline| {
                !silent && test.reveal == Reveal::Counterexample && !timeline.is_empty()
            }),
        }
    }

    /// The fields as a labelled text, and the recorded calls; empty if there are none.
    pub(crate) fn text(&self) -> String {
        let lines = self
            .fields
            .iter()
            .map(|(label, text)| format!("{label:>9}: {}", indented(text)));
        let fields = lines.collect::<Vec<_>>().join("\n");
        let timeline = self.timeline.map(|timeline| format!("\n\n{timeline}"));
        fields + &timeline.unwrap_or_default()
    }
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n           ")
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
