//! The rules one by one, on a small class.

use super::*;
use crate::{Limits, Message, Outcome, RubricRow, TestGrade};

fn test(id: &str, points: u32, outcome: Outcome) -> TestGrade {
    TestGrade {
        id: id.into(),
        part: 1,
        outcome,
        score: if outcome.is_pass() { points } else { 0 },
        max_score: points,
        message: Message::default(),
        reveal: Reveal::default(),
        seed: 0,
        wall_ms: 0,
        cpu_ms: 0,
    }
}

/// Two labs of ten points; seven are earned in each.
fn ann() -> SubmissionGrade {
    let lab = |name: &str| LabGrade {
        lab: name.into(),
        status: LabStatus::Graded,
        score: 7,
        max_score: 10,
        detail: String::new(),
        weight: None,
        adjustments: Vec::new(),
        is_settled: false,
        tests: vec![test("a", 7, Outcome::Pass), test("b", 3, Outcome::Fail)],
    };
    SubmissionGrade {
        id: "ann".into(),
        notes: Vec::new(),
        labs: vec![lab("pipes"), lab("shm")],
    }
}

fn adjusted(policy: &Policy) -> SubmissionGrade {
    let mut ann = ann();
    policy.adjust(&mut ann);
    ann
}

fn late(days: [u32; 2]) -> Policy {
    let key = |lab: &str| ("ann".to_owned(), lab.to_owned());
    Policy {
        late: LateRule {
            free_days: 2,
            penalty_percent: 10,
            max_penalty_percent: 50,
        },
        late_days: BTreeMap::from([(key("pipes"), days[0]), (key("shm"), days[1])]),
        ..Policy::default()
    }
}

fn change(change: Change) -> Override {
    Override {
        submission: "ann".into(),
        lab: "pipes".into(),
        change,
        author: "Grace".into(),
        reason: "ill".into(),
    }
}

fn scores(policy: &Policy) -> [u32; 2] {
    let ann = adjusted(policy);
    [ann.labs[0].score, ann.labs[1].score]
}

#[test]
fn no_rule_changes_nothing() {
    assert_eq!(adjusted(&Policy::default()), ann());
}

#[test]
fn free_days_are_spent_first_and_then_every_day_costs() {
    assert_eq!(scores(&late([2, 0])), [7, 7]);
    assert_eq!(scores(&late([1, 2])), [7, 7], "10 % of 7 is rounded down");
    assert_eq!(scores(&late([2, 3])), [7, 5], "30 % of 7 is 2.1");
    assert_eq!(scores(&late([400, 0])), [4, 7], "never more than half");
}

#[test]
fn an_override_of_a_test_counts_before_the_penalty_and_says_who_and_why() {
    let mut policy = late([5, 0]);
    policy.overrides = vec![change(Change::Test("b".into(), 3))];
    let lab = adjusted(&policy).labs.remove(0);
    assert_eq!((lab.score, lab.tests[1].score), (7, 3), "(7 + 3) - 30 %");
    assert_eq!(lab.adjustments[0].points, 3);
    assert_eq!(
        (&*lab.adjustments[0].author, &*lab.adjustments[0].reason),
        ("Grace", "ill")
    );
}

#[test]
fn an_override_of_a_lab_is_the_last_word() {
    let mut policy = late([5, 0]);
    policy.overrides = vec![change(Change::Lab(9))];
    assert_eq!(scores(&policy), [9, 7]);
}

#[test]
fn late_days_can_be_forgiven_and_are_then_not_spent() {
    let mut policy = late([4, 2]);
    policy.overrides = vec![change(Change::LateDays(0))];
    assert_eq!(scores(&policy), [7, 7]);
}

#[test]
fn a_weight_is_what_the_lab_counts_in_the_total() {
    let weight = |weight| LabPolicy {
        weight: Some(weight),
        ..LabPolicy::default()
    };
    let policy = Policy {
        labs: BTreeMap::from([("pipes".into(), weight(25)), ("shm".into(), weight(0))]),
        ..Policy::default()
    };
    let ann = adjusted(&policy);
    assert_eq!(
        (ann.score().to_string(), ann.max_score().to_string()),
        ("17.5".into(), "25".into())
    );
}

/// Seven of ten points are earned; the other three belong to a test that this machine cannot run.
fn not_all_tested(policy: &Policy) -> (String, String) {
    let mut ann = ann();
    ann.labs.truncate(1);
    ann.labs[0].tests[1].outcome = Outcome::Unavailable;
    ann.labs[0].max_score = 7;
    policy.adjust(&mut ann);
    (ann.score().to_string(), ann.max_score().to_string())
}

#[test]
fn points_that_cannot_be_earned_here_are_skipped_or_move() {
    let with = |unavailable, late_days: u32| Policy {
        unavailable,
        ..late([late_days, 0])
    };
    let said = |score: &str, max: &str| (score.to_owned(), max.to_owned());
    assert_eq!(not_all_tested(&with(NotTested::Skip, 0)), said("7", "7"));
    assert_eq!(not_all_tested(&with(NotTested::Move, 0)), said("10", "10"));
    // Five days, two of them free: 30 % of 7 are 2 points, and 5 of 7 are left.
    assert_eq!(not_all_tested(&with(NotTested::Move, 5)).0, "7.14");
}

#[test]
fn a_person_can_give_points_for_what_was_not_tested() {
    let mut policy = Policy {
        unavailable: NotTested::Skip,
        ..Policy::default()
    };
    policy.overrides = vec![change(Change::Test("b".into(), 3))];
    assert_eq!(not_all_tested(&policy), ("10".into(), "10".into()));
}

#[test]
fn points_of_a_test_replace_the_rubrics() {
    let row = |id: &str| RubricRow {
        id: id.into(),
        part: 1,
        points: 2,
        needs: Vec::new(),
        limits: Limits::DEFAULT,
        why: String::new(),
        read: String::new(),
        hint: Default::default(),
    };
    let mut rubrics = [Rubric {
        lab: "pipes".into(),
        rows: vec![row("a"), row("b")],
    }];
    let points = TestPolicy {
        points: Some(5),
        reveal: None,
    };
    let tests = BTreeMap::from([("b".to_owned(), points)]);
    let lab = LabPolicy {
        tests,
        ..LabPolicy::default()
    };
    let labs = BTreeMap::from([("pipes".to_owned(), lab)]);
    Policy {
        labs,
        ..Policy::default()
    }
    .weigh(&mut rubrics);
    assert_eq!(rubrics[0].max_score(), 7);
}

#[test]
fn the_nearest_word_on_what_is_revealed_counts() {
    let own = TestPolicy {
        points: None,
        reveal: Some(Reveal::Counterexample),
    };
    let pipes = LabPolicy {
        reveal: Some(Reveal::None),
        tests: BTreeMap::from([("b".into(), own)]),
        ..LabPolicy::default()
    };
    let policy = Policy {
        reveal: Reveal::Category,
        labs: BTreeMap::from([("pipes".into(), pipes)]),
        ..Policy::default()
    };
    let ann = adjusted(&policy);
    let reveals = |lab: usize| [ann.labs[lab].tests[0].reveal, ann.labs[lab].tests[1].reveal];
    assert_eq!(reveals(0), [Reveal::None, Reveal::Counterexample]);
    assert_eq!(reveals(1), [Reveal::Category; 2]);
}
