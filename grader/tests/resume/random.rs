//! kill -9 at random moments, the same command again each time: in the end the journal says what
//! it says when nobody disturbs the grader.

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use crate::desk::{Desk, below, wait_for_the_end_of};

/// Quick ones, of every kind.
const TESTS: [&str; 8] = [
    "the_longest_record_fits_and_a_longer_one_writes_nothing",
    "an_end_inside_a_record_is_bad_data",
    "an_unknown_program_ends_with_127",
    "forty_stages_run_with_24_descriptors",
    "an_idle_reader_sleeps",
    "bytes_arrive_unchanged_however_they_are_cut",
    "a_writer_sleeps_until_the_reader_makes_room",
    "every_stage_is_waited_for",
];

#[test]
fn kills_at_random_moments_change_no_verdict() {
    kill_and_compare(50);
}

/// `KILLS=1000 cargo test -p grader --test resume -- --ignored --nocapture`
#[test]
#[ignore = "a campaign: set KILLS, 50 if absent"]
fn many_kills_at_random_moments_change_no_verdict() {
    let n_kills = std::env::var("KILLS").map_or(50, |kills| kills.parse().unwrap());
    eprintln!("{}", kill_and_compare(n_kills));
}

/// Kills graders so many times, and says what came of it. Each RUN folder is killed at until a grader gets to its end.
fn kill_and_compare(n_kills: u32) -> String {
    let args: Vec<&str> = TESTS.iter().flat_map(|test| ["--test", test]).collect();
    let desk = Desk::with_one_solved_lab(&args);
    // The first run may have to compile hidden tests; the second says how long a run takes.
    assert!(desk.grader("first").status().unwrap().success());
    let started = Instant::now();
    assert!(desk.grader("undisturbed").status().unwrap().success());
    let undisturbed = started.elapsed();
    let expected = desk.outcomes("undisturbed");
    assert_eq!(expected.len(), TESTS.len());

    let (mut n_killed, mut n_runs, mut n_resumed) = (0, 0, 0);
    while n_killed < n_kills {
        n_runs += 1;
        let run = format!("run-{n_runs}");
        loop {
            let before = desk.tests(&run);
            n_resumed += u32::from(!before.is_empty());
            let was_killed = n_killed < n_kills && kill(&desk, &run, undisturbed);
            let after = desk.tests(&run);
            assert_eq!(
                after[..before.len()],
                before,
                "what was graded before is kept"
            );
            if !was_killed {
                break;
            }
            n_killed += 1;
        }
        assert!(desk.grader(&run).status().unwrap().success());
        assert_eq!(
            desk.outcomes(&run),
            expected,
            "{run} after {n_killed} kills"
        );
        std::fs::remove_dir_all(desk.path(&run)).unwrap();
    }
    format!("{n_killed} kills in {n_runs} runs, {n_resumed} of them resumed a journal with tests")
}

/// Starts a grader and kills it at a random moment; whether it was still there.
fn kill(desk: &Desk, run: &str, undisturbed: Duration) -> bool {
    let mut grader = desk.grader(run).spawn().unwrap();
    // Spread over the tests as well as over the time, most of which is preparation.
    let n_tests = random(TESTS.len() as u64);
    while (desk.tests(run).len() as u64) < n_tests && grader.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    let most = undisturbed / if n_tests == 0 { 1 } else { 8 };
    thread::sleep(Duration::from_micros(random(most.as_micros() as u64)));
    let children = below(grader.id());
    let was_there = grader.try_wait().unwrap().is_none();
    grader.kill().unwrap();
    grader.wait().unwrap();
    wait_for_the_end_of(children);
    // The seats of a killed grader stay; a campaign must not fill the disk with them.
    for seat in std::fs::read_dir(desk.temporary()).unwrap() {
        std::fs::remove_dir_all(seat.unwrap().path()).unwrap();
    }
    was_there
}

/// A number below `end`.
fn random(end: u64) -> u64 {
    RandomState::new().hash_one(0) % end
}
