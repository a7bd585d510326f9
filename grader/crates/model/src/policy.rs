//! A course's own rules on top of the rubric: what counts how much, lateness, overrides, and how
//! much of a failure is revealed. Pure: verdicts go in, marks come out, nothing is run again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{LabGrade, LabStatus, Outcome, Rubric, SubmissionGrade};

/// The rules of one course. The default changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What is revealed where neither lab nor test says so.
    pub reveal: Reveal,
    /// What becomes of the points of tests that the machine could not run.
    pub unavailable: NotTested,
    /// Rules by lab.
    pub labs: BTreeMap<String, LabPolicy>,
    /// What lateness costs.
    pub late: LateRule,
    /// Days that a lab came late, by submission and lab; absent is in time.
    pub late_days: BTreeMap<(String, String), u32>,
    /// Marks that a person changed.
    pub overrides: Vec<Override>,
}

/// What becomes of the points of tests that the machine could not run: they are never lost to the
/// student, and never won.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotTested {
    /// The lab has fewer points to earn, and counts less in the total.
    #[default]
    Skip,
    /// They move to the lab's other tests, in proportion: the lab counts as much as ever.
    Move,
}

/// The rules of one lab.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabPolicy {
    /// What the whole lab counts in the total, instead of its points.
    pub weight: Option<u32>,
    /// What is revealed of its tests.
    pub reveal: Option<Reveal>,
    /// Rules by test.
    pub tests: BTreeMap<String, TestPolicy>,
}

/// The rules of one test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestPolicy {
    /// What it is worth, instead of the rubric's points.
    pub points: Option<u32>,
    /// What is revealed of it.
    pub reveal: Option<Reveal>,
}

/// How much of a failed hidden test its submitter is shown.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Reveal {
    /// That some test of a part did not pass: neither its name nor how.
    None,
    /// Its name, its outcome and the rule behind it.
    Category,
    /// Everything: also the input that it failed on.
    #[default]
    Counterexample,
}

impl Reveal {
    /// Whether this is the default, which files leave out.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What lateness costs. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LateRule {
    /// Late days that each submitter may spend without loss, over all labs in teaching order.
    pub free_days: u32,
    /// Loss for each further day, in percent of the points earned.
    pub penalty_percent: u32,
    /// The loss never exceeds this, in percent.
    pub max_penalty_percent: u32,
}

/// One change by a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Whose mark.
    pub submission: String,
    /// In which lab.
    pub lab: String,
    /// What is changed.
    pub change: Change,
    /// Who changed it.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// What an override changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The points of the whole lab; lateness no longer counts.
    Lab(u32),
    /// The points of one test.
    Test(String, u32),
    /// How many days late the lab counts as.
    LateDays(u32),
}

/// One step from the points of the tests to the mark of the lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjustment {
    /// Points won or lost by it.
    pub points: i64,
    /// The test it is about, if not the whole lab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// The rule or the change, in words.
    pub what: String,
    /// The reason that a person gave; empty for a rule.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// That person; empty for a rule.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
}

impl Policy {
    /// Puts the course's points into the rubrics, before any mark is made from them.
    pub fn weigh(&self, rubrics: &mut [Rubric]) {
        for rubric in rubrics {
            let Some(lab) = self.labs.get(&rubric.lab) else {
                continue;
            };
            for row in &mut rubric.rows {
                let points = lab.tests.get(&row.id).and_then(|test| test.points);
                row.points = points.unwrap_or(row.points);
            }
        }
    }

    /// Applies everything else to marks made from those rubrics.
    pub fn adjust(&self, submission: &mut SubmissionGrade) {
        let mut free_days = self.late.free_days;
        let SubmissionGrade { id, labs, .. } = submission;
        for lab in labs {
            self.adjust_lab(id, lab, &mut free_days);
        }
    }

    fn adjust_lab(&self, submission: &str, lab: &mut LabGrade, free_days: &mut u32) {
        let rules = self.labs.get(&lab.lab);
        lab.weight = rules.and_then(|lab| lab.weight);
        let not_tested = lab.not_tested();
        if self.unavailable == NotTested::Move && not_tested > 0 && lab.max_score > 0 {
            lab.weight.get_or_insert(lab.max_score + not_tested);
        }
        for test in &mut lab.tests {
            let own = rules.and_then(|lab| lab.tests.get(&test.id)?.reveal);
            let of_lab = rules.and_then(|lab| lab.reveal);
            test.reveal = own.or(of_lab).unwrap_or(self.reveal);
        }
        let is_mine = |change: &&Override| change.submission == submission && change.lab == lab.lab;
        let mine: Vec<&Override> = self.overrides.iter().filter(is_mine).collect();
        let key = (submission.to_owned(), lab.lab.clone());
        let mut late_days = self.late_days.get(&key).copied().unwrap_or(0);
        let mut whole = None;
        for change in mine {
            match &change.change {
                Change::Test(id, points) => override_test(lab, id, *points, change),
                Change::LateDays(days) => {
                    let what = format!("counts as {days} days late instead of {late_days}");
                    lab.adjustments.push(change.adjustment(0, what));
                    late_days = *days;
                }
                Change::Lab(points) => whole = Some((*points, change)),
            }
        }
        let decided: Vec<&String> = lab.adjustments.iter().flat_map(|it| &it.test).collect();
        for test in &mut lab.tests {
            if test.outcome == Outcome::Unavailable && !decided.contains(&&test.id) {
                test.max_score = 0;
            }
        }
        if let Some((points, change)) = whole {
            let won = i64::from(points) - i64::from(lab.score);
            let what = format!("points set to {points}");
            lab.adjustments.push(change.adjustment(won, what));
            lab.score = points;
            lab.is_settled = true;
        } else if !matches!(lab.status, LabStatus::Missing | LabStatus::Rejected) {
            self.late.apply(lab, late_days, free_days);
        }
    }
}

impl LateRule {
    fn apply(&self, lab: &mut LabGrade, late_days: u32, free_days: &mut u32) {
        if late_days == 0 {
            return;
        }
        let free = late_days.min(*free_days);
        *free_days -= free;
        let percent = (late_days - free)
            .saturating_mul(self.penalty_percent)
            .min(self.max_penalty_percent)
            .min(100);
        // Rounded down: a broken point stays the submitter's.
        let lost = u64::from(lab.score) * u64::from(percent) / 100;
        let lost = u32::try_from(lost).expect("at most the whole score");
        lab.score -= lost;
        lab.adjustments.push(Adjustment {
            points: -i64::from(lost),
            test: None,
            what: format!("{late_days} days late, {free} of them free: {percent} % less"),
            reason: String::new(),
            author: String::new(),
        });
    }
}

impl Override {
    fn adjustment(&self, points: i64, what: String) -> Adjustment {
        let test = match &self.change {
            Change::Test(id, _) => Some(id.clone()),
            Change::Lab(_) | Change::LateDays(_) => None,
        };
        Adjustment {
            points,
            test,
            what,
            reason: self.reason.clone(),
            author: self.author.clone(),
        }
    }
}

/// A test without a verdict, because nothing compiled, counts as none of its points.
fn override_test(lab: &mut LabGrade, id: &str, points: u32, change: &Override) {
    let test = lab.tests.iter_mut().find(|test| test.id == id);
    let before = test.as_ref().map_or(0, |test| test.score);
    if let Some(test) = test {
        test.score = points;
        if test.outcome == Outcome::Unavailable {
            lab.max_score += test.max_score;
        }
    }
    lab.score = lab.score - before + points;
    let what = format!("points set to {points}");
    let won = i64::from(points) - i64::from(before);
    lab.adjustments.push(change.adjustment(won, what));
}

#[cfg(test)]
mod tests;
