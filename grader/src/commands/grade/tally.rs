//! Counts what has happened so far, and what is being worked on.

use std::collections::BTreeMap;
use std::fmt::Write;

use model::{LabStatus, Outcome};
use pipeline::Event;

/// What is known of a class while it is graded.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Labs times submissions.
    pub(crate) n_seats: usize,
    /// How many of them are done, those of an earlier call included.
    pub(crate) n_done: usize,
    outcomes: BTreeMap<Outcome, usize>,
    without_tests: BTreeMap<&'static str, usize>,
}

impl Tally {
    pub(crate) fn add(&mut self, event: &Event) {
        match event {
            Event::Started {
                n_seats,
                n_done_before,
            } => (self.n_seats, self.n_done) = (*n_seats, *n_done_before),
            Event::TestDone { outcome, .. } => *self.outcomes.entry(*outcome).or_default() += 1,
            Event::SeatDone { status, .. } => {
                self.n_done += 1;
                if *status != LabStatus::Graded {
                    *self.without_tests.entry(status.name()).or_default() += 1;
                }
            }
            Event::Preparing | Event::JournalRepaired | Event::SeatStarted { .. } => {}
        }
    }

    /// `tests: 41 pass, 3 fail · labs: 2 missing`, of this call alone.
    pub(crate) fn counts(&self) -> String {
        let mut text = String::new();
        let tests = self.outcomes.iter().map(|(outcome, n)| (outcome.name(), n));
        let labs = self.without_tests.iter().map(|(name, n)| (*name, n));
        list(&mut text, "tests", tests);
        list(&mut text, "labs", labs);
        text
    }
}

fn list<'a>(text: &mut String, what: &str, counts: impl Iterator<Item = (&'a str, &'a usize)>) {
    let counts: Vec<String> = counts.map(|(name, n)| format!("{n} {name}")).collect();
    if !counts.is_empty() {
        let gap = if text.is_empty() { "" } else { " · " };
        let _ = write!(text, "{gap}{what}: {}", counts.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_by_outcome_and_by_status() {
        let mut tally = Tally::default();
        tally.add(&Event::Started {
            n_seats: 5,
            n_done_before: 2,
        });
        assert_eq!(tally.counts(), "");
        for outcome in [Outcome::Pass, Outcome::Hang, Outcome::Pass] {
            tally.add(&Event::TestDone {
                submission: "amy".into(),
                lab: "pipes".into(),
                test: "t".into(),
                outcome,
            });
        }
        for status in [LabStatus::Graded, LabStatus::Missing] {
            tally.add(&Event::SeatDone {
                submission: "amy".into(),
                lab: "pipes".into(),
                status,
                score: 1,
                max_score: 2,
            });
        }
        assert_eq!(tally.counts(), "tests: 2 pass, 1 hang · labs: 1 missing");
        assert_eq!((tally.n_done, tally.n_seats), (4, 5));
    }
}
