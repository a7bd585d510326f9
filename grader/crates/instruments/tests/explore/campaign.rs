//! What exploring costs, and whether a race is found every time: run by hand.
//!
//! `EXPLORER_REPEATS=200 cargo test --release -p instruments --test explore -- --ignored --nocapture`

use std::time::{Duration, Instant};

use instruments::explore::Plan;

use crate::race::{clean, found, race};

#[test]
#[ignore = "a campaign: it repeats explorations and prints what they cost"]
fn explorations_again_and_again() {
    let repeats = std::env::var("EXPLORER_REPEATS").map_or(5, |n| n.parse().expect("a number"));
    let accesses = race("race-of-one");
    let costs: Vec<Duration> = (0..repeats)
        .map(|_| {
            let began = Instant::now();
            let n_accesses = accesses.run(Plan::InOrder { first: 0 }).n_accesses();
            began.elapsed() / u32::try_from(n_accesses).expect("not so many")
        })
        .collect();
    say("one access", costs);
    let wrong = [
        "race-counter",
        "race-update",
        "race-semaphore-of-two",
        "race-one-outside",
        "race-flag-first",
    ];
    for way in wrong {
        let race = race(way);
        let explore = || drop(found(race.systematically()));
        say(
            &format!("{way}, found every time"),
            (0..repeats).map(|_| time(explore)).collect(),
        );
    }
    let peterson = race("race-peterson");
    let explore = || drop(found(peterson.with_delayed_stores()));
    say(
        "race-peterson, found every time",
        (0..repeats).map(|_| time(explore)).collect(),
    );
    for way in [
        "race-atomic",
        "race-semaphore",
        "race-spin-lock",
        "race-flag-last",
    ] {
        let race = race(way);
        let mut schedules = 0;
        let times = (0..repeats).map(|_| time(|| schedules += clean(race.systematically())));
        let times: Vec<Duration> = times.collect();
        say(
            &format!("{way}, never accused in {schedules} schedules"),
            times,
        );
    }
}

fn time(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

#[expect(
    clippy::print_stdout,
    reason = "the figures are what a campaign is for"
)]
fn say(what: &str, mut costs: Vec<Duration>) {
    costs.sort();
    let median = costs[costs.len() / 2];
    println!(
        "{what}: median {median:.1?}, worst {:.1?}",
        costs[costs.len() - 1]
    );
}
