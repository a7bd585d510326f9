//! What happens while a class is graded, told to whoever shows it.

use model::{LabStatus, Outcome};

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Dependencies and hidden tests are being built, once for the whole class.
    Preparing,
    /// So many labs of so many submissions are to be graded; some had their verdict before.
    Started {
        /// Labs times submissions.
        n_seats: usize,
        /// How many of them an earlier run of the same command has finished.
        n_done_before: usize,
    },
    /// The journal's last record was cut short by a crash and was dropped.
    JournalRepaired,
    /// A worker took up one lab of one submission.
    SeatStarted {
        /// The submission's id.
        submission: String,
        /// The lab's name.
        lab: String,
    },
    /// One hidden test has its verdict.
    TestDone {
        /// The submission's id.
        submission: String,
        /// The lab's name.
        lab: String,
        /// The test's id.
        test: String,
        /// How it ended.
        outcome: Outcome,
    },
    /// One lab of one submission is done.
    SeatDone {
        /// The submission's id.
        submission: String,
        /// The lab's name.
        lab: String,
        /// How far grading came.
        status: LabStatus,
        /// Points earned.
        score: u32,
        /// Points that could be earned.
        max_score: u32,
    },
}

/// Where events go; called from several threads.
pub type Sink<'a> = &'a (dyn Fn(Event) + Sync);
