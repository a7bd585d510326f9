//! Properties: many random cases from the test's seed, and the smallest one that fails.

use std::cell::RefCell;
use std::fmt::Debug;

use model::Symptom;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRng, TestRunner};

use crate::{Check, Stop};

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counterexample {
    /// What was found in the smallest failing case.
    pub(crate) stop: Stop,
    /// Which failing call of the body that was, from 0; `None` if none was made.
    pub(crate) failure: Option<usize>,
}

/// Runs `body` for `cases` random values. The first failing value is shrunk, within bounds, and
/// the finding shows the smallest that still fails.
pub(crate) fn run<S: Strategy>(
    rng: TestRng,
    cases: u32,
    strategy: S,
    body: impl Fn(S::Value) -> Check,
) -> Result<(), Counterexample>
where
    S::Value: Debug,
{
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 64,
        max_shrink_time: 2_000,
        ..Config::default()
    };
    let failures: RefCell<Vec<(String, Stop)>> = RefCell::default();
    let result = TestRunner::new_with_rng(config, rng).run(&strategy, |value| {
        if failures
            .borrow()
            .iter()
            .any(|(_, stop)| !is_worth_shrinking(stop))
        {
            return Ok(());
        }
        let shown = format!("{value:?}");
        body(value).map_err(|stop| {
            failures.borrow_mut().push((shown, stop));
            TestCaseError::fail("the property does not hold")
        })
    });
    let smallest = match result {
        Ok(()) => return Ok(()),
        Err(TestError::Fail(_, value)) => format!("{value:?}"),
        Err(TestError::Abort(reason)) => {
            return Err(Counterexample {
                stop: Stop::Fault(reason.to_string()),
                failure: None,
            });
        }
    };
    let mut failures = failures.into_inner();
    let at = failures.iter().rposition(|(shown, _)| *shown == smallest);
    let at = at.unwrap_or(failures.len() - 1);
    let mut stop = failures.swap_remove(at).1;
    if let Stop::Found(finding) = &mut stop {
        let smallest = shortened(&smallest);
        finding.got += &format!("\nsmallest failing case: {smallest}");
    }
    Err(Counterexample {
        stop,
        failure: Some(at),
    })
}

/// A fault of ours would only be repeated, and a program that spins does so whatever it is given:
/// every further case would cost its CPU time again.
fn is_worth_shrinking(stop: &Stop) -> bool {
    match stop {
        Stop::Unavailable(_) | Stop::Fault(_) => false,
        Stop::Found(finding) => finding.symptom != Symptom::BusyWait,
    }
}

const SHOWN: usize = 400;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::test_runner::RngAlgorithm;

    fn rng(seed: u8) -> TestRng {
        TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32])
    }

    #[test]
    fn the_smallest_failing_case_is_shown_and_the_same_seed_finds_it_again() {
        let broken = |seed| {
            run(rng(seed), 64, 0..1000u32, |n| {
                crate::ensure(n < 17, "n", "small", "big")
            })
        };
        let Err(Counterexample {
            stop: Stop::Found(finding),
            ..
        }) = broken(1)
        else {
            panic!("not found")
        };
        assert!(
            finding.got.ends_with("smallest failing case: 17"),
            "{}",
            finding.got
        );
        assert_eq!(broken(1), broken(1));
    }

    #[test]
    fn a_fault_of_ours_is_not_shrunk() {
        let calls = RefCell::new(0);
        let result = run(rng(2), 64, 0..1000u32, |_| {
            *calls.borrow_mut() += 1;
            Err(Stop::Fault("no box".into()))
        });
        let stop = result.map_err(|example| example.stop);
        assert_eq!(
            (stop, *calls.borrow()),
            (Err(Stop::Fault("no box".into())), 1)
        );
    }
}
