//! One row of a lab's rubric, with the function that tests it.

use model::{Limits, Rubric, RubricRow};

use crate::{Bench, Check};

/// One hidden test.
///
/// The table of these is the lab's rubric: nobody keeps a second list. Order them cheap first.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// A sentence a student can read: `writer_gets_epipe_after_reader_closes`.
    pub id: &'static str,
    /// The part of the handout it belongs to, from 1.
    pub part: u8,
    /// Points it is worth.
    pub points: u32,
    /// Tests that must pass before this one is worth running.
    pub needs: &'static [&'static str],
    /// What the test may use; deadlines only give up.
    pub limits: Limits,
    /// The rule behind the test, in one sentence.
    pub why: &'static str,
    /// Where to read: README part, man page, function.
    pub read: &'static str,
    /// A question, a pointer into the manual, the shape of the solution.
    pub hint: [&'static str; 3],
    /// The test itself.
    pub run: fn(&Bench) -> Check,
}

/// The rubric that a table of tests states.
pub(crate) fn rubric(lab: &str, tests: &[Test]) -> Rubric {
    let row = |test: &Test| RubricRow {
        id: test.id.into(),
        part: test.part,
        points: test.points,
        needs: test.needs.iter().map(|&id| id.into()).collect(),
        limits: test.limits,
        why: test.why.into(),
        read: test.read.into(),
        hint: test.hint.map(str::to_owned),
    };
    Rubric {
        lab: lab.into(),
        rows: tests.iter().map(row).collect(),
    }
}
