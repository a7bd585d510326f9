//! Tells a check on the terminal: a line a test, the failures of the part to work on in full, and
//! what comes next.

use std::sync::Mutex;

use coach::record::Taught;
use model::Outcome;

use crate::event::{Event, Progress, Tested, Walls};
use crate::show::{self, BAD, GOOD, QUIET, STRONG, styled};
use crate::tree::Hidden;

/// Collects the verdicts of one lab and tells them in the order of the parts.
pub(crate) struct Teller<'a> {
    hidden: &'a Hidden,
    is_full: bool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    title: String,
    tests: Vec<Tested>,
    walls: Option<Walls>,
}

impl<'a> Teller<'a> {
    /// Tells everything, or only a line if not `is_full`.
    pub(crate) fn new(hidden: &'a Hidden, is_full: bool) -> Self {
        Self {
            hidden,
            is_full,
            seen: Mutex::default(),
        }
    }

    /// Takes one event.
    pub(crate) fn tell(&self, event: &Event) {
        let mut seen = self.seen.lock().expect("no holder panics");
        match event {
            Event::Building { title, .. } => seen.title.clone_from(title),
            Event::NotBuilt { lab, text } => {
                show::status(text.trim_end());
                show::line(format_args!("{} {lab}", styled(BAD, "does not compile")));
            }
            Event::Running { walls, n_tests, .. } => {
                show::status(format_args!("{n_tests} public tests"));
                seen.walls = Some(walls.clone());
            }
            Event::Tested(tested) => seen.tests.push(*tested.clone()),
            Event::Finished(progress) => self.finish(&mut seen, progress),
        }
    }

    fn finish(&self, seen: &mut Seen, progress: &Progress) {
        seen.tests
            .sort_by(|a, b| (a.taught.part, &a.taught.test).cmp(&(b.taught.part, &b.taught.test)));
        let heading = format!("{}: {}", progress.lab, seen.title);
        show::line(format_args!(
            "{}  {}",
            styled(STRONG, heading),
            facts(progress)
        ));
        if !self.is_full {
            return;
        }
        for test in &seen.tests {
            show::line(row(test));
        }
        let part = progress.next.as_ref().map(|next| next.part);
        let in_full = seen
            .tests
            .iter()
            .filter(|test| !test.is_pass() && Some(test.taught.part) == part);
        for test in in_full {
            show::line("");
            for line in failure(test) {
                show::line(line);
            }
        }
        show::line("");
        for line in next(progress, self.hidden) {
            show::line(line);
        }
        if let Some(walls) = &seen.walls {
            show::line(styled(QUIET, walls_in_words(walls)));
        }
    }
}

/// One test in a line.
fn row(test: &Tested) -> String {
    let outcome = test.verdict.outcome;
    let style = match outcome {
        Outcome::Pass => GOOD,
        Outcome::NotAttempted => QUIET,
        _ => BAD,
    };
    let Taught { part, test, .. } = &test.taught;
    format!(
        "  part {part:<2} {} {test}",
        styled(style, format_args!("{:<13}", word(outcome)))
    )
}

/// An outcome as a student reads it.
pub(crate) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "ok",
        Outcome::NotAttempted => "not yet",
        Outcome::GraderFault => "our fault",
        other => other.name(),
    }
}

/// A failed test in full.
pub(crate) fn failure(test: &Tested) -> Vec<String> {
    let Taught {
        part, test: name, ..
    } = &test.taught;
    let outcome = word(test.verdict.outcome);
    let mut lines = vec![styled(
        STRONG,
        format_args!("part {part}, {outcome}: {name}"),
    )];
    lines.extend(test.verdict.message.to_string().lines().map(str::to_owned));
    if !test.output.trim().is_empty() {
        lines.push("  printed:".to_owned());
        let printed = test.output.trim_end().lines();
        lines.extend(printed.map(|line| format!("           {line}")));
    }
    lines.push(format!("     hint: cargo lab hint {} {name}", test.lab));
    lines
}

/// `7 of 13 kernel facts learnt`.
pub(crate) fn facts(progress: &Progress) -> String {
    let Progress { learnt, facts, .. } = progress;
    let style = if learnt == facts { GOOD } else { STRONG };
    styled(
        style,
        format_args!("{learnt} of {facts} kernel facts learnt"),
    )
}

/// Where to go on.
pub(crate) fn next(progress: &Progress, hidden: &Hidden) -> Vec<String> {
    let mut lines = Vec::new();
    match &progress.next {
        Some(next) => lines.push(format!("next: part {}, read {}", next.part, next.read)),
        None => lines.push("every public test passes".to_owned()),
    }
    let n_hidden: usize = hidden.per_part.iter().sum();
    if n_hidden > 0 {
        let parts = hidden.per_part.iter().zip(1..);
        let parts: Vec<String> = parts
            .filter(|(n, _)| **n > 0)
            .map(|(n, part)| format!("part {part}: {n}"))
            .collect();
        lines.push(format!(
            "when you hand in: {n_hidden} hidden tests ({})",
            parts.join(", ")
        ));
    }
    if !hidden.about.is_empty() {
        lines.push(format!("they are about {}", hidden.about.join("; ")));
    }
    lines
}

/// What the tests ran in.
pub(crate) fn walls_in_words(walls: &Walls) -> String {
    match walls.missing.as_slice() {
        [] => format!(
            "box: level {}, as strong as when the lab is graded",
            walls.level
        ),
        missing => format!("box: level {} ({})", walls.level, missing.join("; ")),
    }
}
