//! Random sets of faults that a correct program survives, for properties; a failing set shrinks to
//! the fewest, earliest and hardest faults that still fail.

use instruments::inject::{Effect, Point, Rule, inject};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::sample::select;

/// Up to `most` faults, each at one of these points, in one of the first few calls there: the call
/// is interrupted, or moves fewer bytes than it could.
///
/// A program that comes to its end before a fault has just not met it.
pub fn faults(points: Vec<Point>, most: usize) -> impl Strategy<Value = Vec<Rule>> {
    let effect = prop_oneof![Just(Effect::Eintr), (1..LONGEST).prop_map(Effect::Short)];
    let fault = (select(points), 1..=FIRST_CALLS, effect);
    let rule =
        |(point, nth, effect): (Point, u32, Effect)| inject(point.nth(nth), effect).if_reached();
    vec(fault.prop_map(rule), 0..=most)
}

/// Faults come within so many calls of a process.
const FIRST_CALLS: u32 = 5;

/// A shortened call moves fewer bytes than this.
const LONGEST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    use instruments::inject::{read, write};
    use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

    #[test]
    fn a_failing_set_shrinks_to_the_one_fault_that_matters() {
        let config = Config {
            cases: 200,
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]);
        let sets = faults(vec![read().fd(0), write().fd(1)], 4);
        // A program that cannot bear any interruption of its second write, or a later one.
        let is_bad = |rule: &Rule| {
            let text = rule.to_string();
            text.starts_with("write") && !text.starts_with("write 1") && text.ends_with("EINTR")
        };
        let result = TestRunner::new_with_rng(config, rng).run(&sets, |rules| {
            proptest::prop_assert!(!rules.iter().any(is_bad));
            Ok(())
        });
        let Err(TestError::Fail(_, rules)) = result else {
            panic!("nothing found: {result:?}")
        };
        assert_eq!(format!("{rules:?}"), "[write 2 on descriptor 1: EINTR]");
    }
}
