//! Races are found, every time; right programs are left alone.

use instruments::explore::{Ending, Plan, Point};

use crate::race::{all_is_well, clean, found, race};

#[test]
fn an_update_without_a_lock_is_lost() {
    let failure = found(race("race-counter").systematically());
    let text = failure.story.explain();
    assert!(text.contains("is held before its "), "{text}");
    assert!(text.contains(" of +0x0; "), "{text}");
    assert!(text.contains(" accesses and has ended"), "{text}");
    assert!(text.contains("what it made of the old value: "), "{text}");
    assert!(text.contains(" lost"), "{text}");
}

#[test]
fn an_update_in_one_instruction_is_lost_all_the_same() {
    let failure = found(race("race-update").systematically());
    let text = failure.story.explain();
    let phrases = [
        "is held before its increment or other update of +0x0",
        "makes 3 accesses and has ended",
        "what the others have stored there is lost",
    ];
    assert!(phrases.iter().all(|phrase| text.contains(phrase)), "{text}");
}

#[test]
fn threads_of_one_program_are_interrupted_like_programs() {
    found(race("race-threads").systematically());
}

#[test]
fn a_semaphore_that_lets_two_in() {
    found(race("race-semaphore-of-two").systematically());
}

#[test]
fn one_update_of_six_outside_the_lock() {
    found(race("race-one-outside").systematically());
}

#[test]
fn a_flag_that_is_set_before_the_data() {
    let failure = found(race("race-flag-first").systematically());
    let text = failure.story.explain();
    assert!(text.contains("before its store of +0x0"), "{text}");
}

#[test]
fn a_lock_that_is_tested_and_then_set_needs_two_interruptions() {
    found(race("race-test-then-set").randomly(1, 200));
}

#[test]
fn locks_that_are_taken_upside_down_end_in_a_circle() {
    let failure = found(race("race-upside-down").systematically());
    let Ending::Asleep { autopsy } = failure.story.ending else {
        panic!("{:?}", failure.story.ending);
    };
    assert!(
        autopsy.iter().any(|line| line.contains("sem_wait")),
        "{autopsy:?}"
    );
}

#[test]
fn a_store_that_is_seen_late_breaks_a_lock_without_a_fence() {
    let failure = found(race("race-peterson").with_delayed_stores());
    let text = failure.story.explain();
    assert!(text.contains("are not seen by the others"), "{text}");
}

#[test]
fn right_programs_are_left_alone() {
    for way in [
        "race-atomic",
        "race-semaphore",
        "race-spin-lock",
        "race-flag-last",
    ] {
        clean(race(way).systematically());
        clean(race(way).randomly(1, 20));
        clean(race(way).with_delayed_stores());
    }
    clean(race("race-peterson-with-fence").with_delayed_stores());
}

#[test]
fn every_schedule_does_what_it_says() {
    let race = race("race-semaphore");
    let stories = race.undisturbed();
    let plans = instruments::explore::systematic(&stories);
    assert!(!plans.is_empty());
    for plan in plans {
        let story = race.run(plan);
        assert!(story.happened, "{}", story.plan);
    }
    // Nobody makes so many accesses.
    let story = race.run(Plan::Held {
        who: 1,
        at: Point::Before(10_000),
    });
    assert!(!story.happened && all_is_well(&story));
    let story = race.run(Plan::Random {
        seed: 1,
        changes: vec![10_000],
    });
    assert!(!story.happened && all_is_well(&story));
}

#[test]
fn a_failing_schedule_fails_again() {
    let race = race("race-test-then-set");
    let failure = found(race.randomly(1, 200));
    for _ in 0..5 {
        let again = race.run(failure.story.plan.clone());
        assert!(!all_is_well(&again));
        assert_eq!(again.lines, failure.story.lines);
    }
}
