//! What there is to do in a class: one piece of work for each lab of each submission, and those
//! with the same files together.

use std::collections::BTreeMap;

use model::{LabStatus, Outcome};

use crate::Submission;
use crate::digest::{Digest, of_tree};
use crate::gradebook::is_final;
use crate::index::{Index, Mark};
use crate::intake::Intake;
use crate::kit::Kit;

/// One lab of one submission, to be graded. Its files are read again when its turn comes: a whole
/// class of them would take more memory than anything else.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) submission: &'a Submission,
    pub(crate) kit: &'a Kit,
    /// Digest of the files that count.
    pub(crate) source: String,
}

/// Digest of what a submission brought for a lab: of its files, of its refusal, or of nothing.
pub(crate) fn source(intake: &Intake, lab: &str) -> String {
    match (&intake.rejected, intake.labs.get(lab)) {
        (Some(reason), _) => Digest::default()
            .add("rejected", reason.as_bytes())
            .finish(),
        (None, Some(files)) => of_tree(files),
        (None, None) => String::new(),
    }
}

impl Work<'_> {
    /// Whether the journal holds a final verdict on all of it.
    pub(crate) fn is_done(&self, index: &Index) -> bool {
        let Some(seat) = index.seat(&self.submission.id, &self.kit.lab.name) else {
            return false;
        };
        if seat.source != self.source {
            return false;
        }
        let is_decided = |mark: &Mark| is_final(mark.outcome) || mark.outcome == Outcome::Skipped;
        match seat.ended {
            Some((status, _)) => status != LabStatus::GraderFault,
            None => seat
                .tests
                .iter()
                .all(|mark| mark.as_ref().is_some_and(is_decided)),
        }
    }

    /// Final verdicts that the journal holds on these files.
    pub(crate) fn known(&self, index: &Index) -> BTreeMap<String, Outcome> {
        let seat = index.seat(&self.submission.id, &self.kit.lab.name);
        let Some(seat) = seat.filter(|seat| seat.source == self.source) else {
            return BTreeMap::new();
        };
        let outcomes = seat.tests.iter().map(|mark| Some(mark.as_ref()?.outcome));
        let rows = self.kit.rubric.rows.iter();
        rows.zip(outcomes)
            .filter_map(|(row, outcome)| Some((row.id.clone(), outcome?)))
            .filter(|(_, outcome)| is_final(*outcome))
            .collect()
    }
}

/// Puts work on the same files of the same lab together, in the order of the first of each.
pub(crate) fn alike<'a, 'b>(open: Vec<&'b Work<'a>>) -> Vec<Vec<&'b Work<'a>>> {
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut groups: Vec<Vec<&Work<'_>>> = Vec::new();
    for work in open {
        let place = places
            .entry((&work.kit.lab.name, &work.source))
            .or_insert(groups.len());
        match groups.get_mut(*place) {
            Some(group) => group.push(work),
            None => groups.push(vec![work]),
        }
    }
    groups
}
