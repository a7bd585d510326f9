//! Races are found, every time; right programs are left alone.

use instruments::explore::{Deed, Ending, Event, Kind, Plan, Point, Step, Story};

use crate::race::{all_is_well, clean, found, race};

/// The steps as people read them: who, what, and what was done there.
fn told(story: &Story) -> Vec<String> {
    let told = |step: &Step| {
        let deed = step.deed.map(|deed| format!(" <- {deed}"));
        format!(
            "{}: {step}{}",
            story.names[step.who],
            deed.unwrap_or_default()
        )
    };
    story.steps.iter().map(told).collect()
}

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
fn the_steps_of_a_lost_update_are_in_their_order_with_the_hold_between() {
    let story = found(race("race-counter").systematically()).story;
    let is_held = |step: &Step| step.deed == Some(Deed::Held);
    let held = story.steps.iter().position(is_held).expect("a hold");
    let (before, rest) = story.steps.split_at(held);
    let who = rest[0].who;
    assert!(matches!(rest[0].event, Event::About(..)), "{:?}", rest[0]);
    let length = rest[1..].iter().position(|step| step.who == who);
    let (meanwhile, after) = rest[1..].split_at(length.expect("it goes on"));
    let stores = meanwhile
        .iter()
        .filter(|step| matches!(&step.event, Event::Touched(kind, ..) if *kind != Kind::Load));
    assert_eq!(after[0].deed, Some(Deed::Undoes(stores.count())));
    assert_eq!(after[0].operand(), rest[0].operand());
    // Three rounds of one undone by three of the other: it goes on with what it had loaded.
    assert!(before.iter().all(|step| step.who == who), "{before:?}");
    assert!(
        matches!(&after[0].event, Event::Touched(_, _, Some(change)) if change.after == 1),
        "{:?}",
        after[0]
    );
}

#[test]
fn steps_tell_what_was_found_and_what_was_left() {
    let story = found(race("race-update").systematically()).story;
    let racers = told(&story);
    let racers: Vec<&String> = (racers.iter())
        .filter(|step| step.starts_with("process "))
        .collect();
    let expected = [
        "process 1: about to update +0x0 <- held",
        "process 2: update +0x0: 0 -> 1",
        "process 2: update +0x0: 1 -> 2",
        "process 2: update +0x0: 2 -> 3",
        "process 2: has ended",
        "process 1: update +0x0: 0 -> 1 <- 3 updates lost",
        "process 1: update +0x0: 1 -> 2",
        "process 1: update +0x0: 2 -> 3",
        "process 1: has ended",
    ];
    assert_eq!(racers, expected);
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
    let steps = told(&failure.story).join("\n");
    for deed in ["others do not see it", "others see 2 stores now"] {
        assert!(steps.contains(deed), "{steps}");
    }
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
        assert_eq!(told(&again), told(&failure.story));
    }
}
