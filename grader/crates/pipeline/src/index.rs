//! A journal without its words: what marks are counted from, and where the rest stands. It takes a
//! few megabytes for a class of a thousand, whatever its submissions said. It knows no file.

use std::collections::BTreeMap;

use model::{LabStatus, Outcome, Record, Rubric};

/// Where a record stands in the journal, in bytes, without its line break.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) at: u64,
    pub(crate) length: usize,
}

/// What the journal's first record says of the run.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) version: u32,
    /// Digest of the course.
    pub(crate) course: String,
    /// The isolation rung.
    pub(crate) isolation: String,
    /// The rubrics of the labs graded, in teaching order.
    pub(crate) rubrics: Vec<Rubric>,
}

/// The last word on every submission, lab and test.
#[derive(Debug, Default)]
pub(crate) struct Index {
    header: Option<Header>,
    taken_in: BTreeMap<String, Place>,
    /// By submission; then one a rubric.
    seats: BTreeMap<String, Vec<Option<Seat>>>,
    /// Every isolation level that a test ran on.
    levels: Vec<String>,
}

/// What the journal says of one lab of one submission. A record for other sources starts anew.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// Digest of the sources that this is about.
    pub(crate) source: String,
    /// The end before any test, if it came to that, and where its reason stands.
    pub(crate) ended: Option<(LabStatus, Place)>,
    /// One a row of the rubric.
    pub(crate) tests: Vec<Option<Mark>>,
}

/// One verdict without its words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) outcome: Outcome,
    pub(crate) seed: u64,
    pub(crate) wall_ms: u64,
    pub(crate) cpu_ms: u64,
    /// Which of the levels it ran on; none for a skipped test.
    level: Option<usize>,
    pub(crate) place: Place,
}

impl Index {
    /// Takes note of a record that stands in the journal after all others so far.
    pub(crate) fn add(&mut self, record: &Record, place: Place) {
        match record {
            Record::Run {
                version,
                course,
                isolation,
                rubrics,
            } if place.at == 0 => {
                self.header = Some(Header {
                    version: *version,
                    course: course.clone(),
                    isolation: isolation.clone(),
                    rubrics: rubrics.clone(),
                });
            }
            Record::Run { .. } => {}
            Record::Submission { id, .. } => {
                self.taken_in.insert(id.clone(), place);
            }
            Record::Lab {
                submission,
                lab,
                source,
                status,
                ..
            } => {
                if let Some((_, seat)) = self.seat_of(submission, lab, source) {
                    seat.ended = Some((*status, place));
                }
            }
            Record::Test {
                submission,
                lab,
                source,
                test,
                verdict,
                evidence,
            } => {
                let evidence = evidence.as_ref();
                let mark = Mark {
                    outcome: verdict.outcome,
                    seed: evidence.map_or(0, |evidence| evidence.seed),
                    wall_ms: evidence.map_or(0, |evidence| evidence.wall_ms),
                    cpu_ms: evidence.map_or(0, |evidence| evidence.cpu_ms),
                    level: evidence.map(|evidence| self.level(&evidence.isolation)),
                    place,
                };
                if let Some((rubric, seat)) = self.seat_of(submission, lab, source) {
                    seat.ended = None;
                    if let Some(row) = rubric.rows.iter().position(|row| row.id == *test) {
                        seat.tests[row] = Some(mark);
                    }
                }
            }
        }
    }

    /// The seat to note something in; none for a lab that is not part of the run.
    fn seat_of(
        &mut self,
        submission: &str,
        lab: &str,
        source: &str,
    ) -> Option<(&Rubric, &mut Seat)> {
        let rubrics = &self.header.as_ref()?.rubrics;
        let n_lab = rubrics.iter().position(|rubric| rubric.lab == lab)?;
        if !self.seats.contains_key(submission) {
            let none = vec![None; rubrics.len()];
            self.seats.insert(submission.to_owned(), none);
        }
        let seat = &mut self.seats.get_mut(submission)?[n_lab];
        if seat.as_ref().is_none_or(|seat| seat.source != source) {
            *seat = Some(Seat {
                source: source.to_owned(),
                ended: None,
                tests: vec![None; rubrics[n_lab].rows.len()],
            });
        }
        Some((&rubrics[n_lab], seat.as_mut()?))
    }

    fn level(&mut self, name: &str) -> usize {
        let known = self.levels.iter().position(|level| level == name);
        known.unwrap_or_else(|| {
            self.levels.push(name.to_owned());
            self.levels.len() - 1
        })
    }

    /// What the first record says, if it is the one that belongs there.
    pub(crate) fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// Every submission that was taken in, by id, and where the last word on that stands.
    pub(crate) fn taken_in(&self) -> &BTreeMap<String, Place> {
        &self.taken_in
    }

    /// One lab of one submission.
    pub(crate) fn seat(&self, submission: &str, lab: &str) -> Option<&Seat> {
        let mut rubrics = self.header.as_ref()?.rubrics.iter();
        let n_lab = rubrics.position(|rubric| rubric.lab == lab)?;
        self.seats.get(submission)?[n_lab].as_ref()
    }

    /// How many tests ran on each isolation level.
    pub(crate) fn levels(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        let seats = self.seats.values().flatten().flatten();
        for level in seats
            .flat_map(|seat| &seat.tests)
            .flatten()
            .filter_map(|mark| mark.level)
        {
            *counts.entry(self.levels[level].as_str()).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn index(records: &[Record]) -> Index {
        let header = sample::header();
        let mut index = Index::default();
        for (at, record) in (0..).zip([&header].into_iter().chain(records)) {
            index.add(record, Place { at, length: 1 });
        }
        index
    }

    fn test(source: &str, id: &str, outcome: Outcome) -> Record {
        sample::test(source, id, outcome, String::new())
    }

    /// The outcomes of the only seat, and where they stand.
    fn outcomes(records: &[Record]) -> Vec<Option<(Outcome, u64)>> {
        let index = index(records);
        let tests = index.seat("alice", "pipes").unwrap().tests.iter();
        let told = tests.map(|mark| mark.map(|mark| (mark.outcome, mark.place.at)));
        told.collect()
    }

    #[test]
    fn the_last_word_on_a_test_counts() {
        let records = [
            test("s", "b", Outcome::GraderFault),
            test("s", "b", Outcome::Pass),
        ];
        assert_eq!(outcomes(&records), [None, Some((Outcome::Pass, 2))]);
    }

    #[test]
    fn other_sources_of_the_same_submitter_start_the_lab_anew() {
        let records = [
            test("old", "a", Outcome::Pass),
            test("new", "b", Outcome::Pass),
        ];
        assert_eq!(outcomes(&records), [None, Some((Outcome::Pass, 2))]);
    }

    #[test]
    fn what_belongs_to_no_test_of_the_run_is_passed_over() {
        let mut other_lab = test("s", "a", Outcome::Pass);
        if let Record::Test { lab, .. } = &mut other_lab {
            *lab = "sockets".into();
        }
        let records = [
            test("s", "a", Outcome::Fail),
            test("s", "c", Outcome::Pass),
            other_lab,
        ];
        assert_eq!(outcomes(&records), [Some((Outcome::Fail, 1)), None]);
    }
}
