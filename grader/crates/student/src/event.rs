//! What happens while a lab is checked: one stream, told by a terminal, a full screen or as JSON.

use coach::record::Taught;
use model::Verdict;
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// cargo was started.
    Building {
        /// The lab's name.
        lab: String,
        /// What it is called in headings.
        title: String,
    },
    /// The lab does not compile.
    NotBuilt {
        /// The lab's name.
        lab: String,
        /// What the compiler said, if it was not shown as it came.
        text: String,
    },
    /// The tests are about to run.
    Running {
        /// The lab's name.
        lab: String,
        /// How many there are.
        n_tests: usize,
        /// Milliseconds that cargo took.
        build_ms: u64,
        /// The box.
        walls: Walls,
    },
    /// One test has a verdict.
    Tested(Box<Tested>),
    /// All tests of the lab have a verdict.
    Finished(Progress),
}

/// The box that the tests run in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Walls {
    /// The isolation level, `none` without a box.
    pub(crate) level: String,
    /// Why there is no better one; empty where the box is as good as when the lab is graded.
    pub(crate) missing: Vec<String>,
}

/// One test and its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tested {
    /// The lab's name.
    pub(crate) lab: String,
    /// The test and what it teaches.
    pub(crate) taught: Taught,
    /// How it ended and what the student is told.
    pub(crate) verdict: Verdict,
    /// What the test and its programs printed.
    pub(crate) output: String,
    /// Milliseconds from the start of its box to its end.
    pub(crate) wall_ms: u64,
}

/// How far a student is with a lab.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The lab's name.
    pub(crate) lab: String,
    /// Rules whose tests all pass.
    pub(crate) learnt: usize,
    /// Rules that the tests teach.
    pub(crate) facts: usize,
    /// The lesson to go on with: that of the first failing test of the earliest part.
    pub(crate) next: Option<Taught>,
    /// Tests that could not be judged.
    pub(crate) n_faults: usize,
    /// Milliseconds from the end of the build to the last verdict.
    pub(crate) tests_ms: u64,
}

impl Progress {
    /// What these verdicts come to.
    pub(crate) fn of(lab: &str, tests: &[Tested], tests_ms: u64) -> Self {
        let mut whys: Vec<&str> = tests.iter().map(|test| test.taught.why.as_str()).collect();
        whys.sort_unstable();
        whys.dedup();
        let is_learnt = |why: &&&str| {
            let mut of_it = tests.iter().filter(|test| test.taught.why == **why);
            of_it.all(Tested::is_pass)
        };
        let failing = tests.iter().filter(|test| !test.is_pass());
        Self {
            lab: lab.to_owned(),
            learnt: whys.iter().filter(is_learnt).count(),
            facts: whys.len(),
            next: failing
                .min_by_key(|test| test.taught.part)
                .map(|test| test.taught.clone()),
            n_faults: tests
                .iter()
                .filter(|test| test.verdict.outcome == model::Outcome::GraderFault)
                .count(),
            tests_ms,
        }
    }
}

impl Tested {
    /// Whether the contract held.
    pub(crate) fn is_pass(&self) -> bool {
        self.verdict.outcome.is_pass()
    }
}

#[cfg(test)]
mod tests {
    use model::{Message, Outcome};

    use super::*;

    fn tested(part: u8, why: &str, outcome: Outcome) -> Tested {
        Tested {
            lab: "pipes".into(),
            taught: Taught {
                part,
                why: why.into(),
                ..Taught::default()
            },
            verdict: Verdict {
                outcome,
                message: Message::default(),
            },
            output: String::new(),
            wall_ms: 1,
        }
    }

    #[test]
    fn a_fact_is_learnt_when_all_of_its_tests_pass_and_the_earliest_part_is_next() {
        let tests = [
            tested(1, "a", Outcome::Pass),
            tested(3, "c", Outcome::Fail),
            tested(2, "b", Outcome::Pass),
            tested(2, "b", Outcome::NotAttempted),
        ];
        let progress = Progress::of("pipes", &tests, 5);
        assert_eq!((progress.learnt, progress.facts), (1, 3));
        assert_eq!(progress.next.unwrap().part, 2);
    }
}
