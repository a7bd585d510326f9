//! Part 3: masks are put back, not guessed.

use harness::{Bench, Check, Fields, ensure_eq};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy};
use proptest::prop_oneof;
use proptest::sample::subsequence;

use crate::kernel::numbers;

/// Signals that a probe can block without harm.
const SIGNALS: [i32; 6] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGTERM,
    libc::SIGCHLD,
];

/// One step with the guards.
#[derive(Clone, Debug)]
enum Step {
    Block(Vec<i32>),
    DropNewest,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let block = subsequence(SIGNALS.to_vec(), 0..=3).prop_map(Step::Block);
    vec(prop_oneof![3 => block, 2 => Just(Step::DropNewest)], 1..10)
}

/// After every step the kernel's mask is that of a model, which is a stack of masks. The program
/// starts with a signal blocked that it never asked for.
pub(crate) fn guards_put_the_old_mask_back(bench: &Bench) -> Check {
    let inherited = SIGNALS[bench.number(0..6) as usize];
    bench.property(32, steps(), |steps| {
        let mut probe = bench.probe().blocking(inherited).connect()?;
        let mut masks = vec![vec![inherited]];
        for step in steps {
            let did = match &step {
                Step::Block(signals) => format!("a guard for {signals:?} has come"),
                Step::DropNewest => "the newest guard has gone".to_owned(),
            };
            let what = format!(
                "SigBlk after {did}, guards before: {}; {inherited} was blocked at start",
                masks.len() - 1
            );
            match step {
                Step::Block(signals) => {
                    let count = Fields::new().value(signals.len());
                    probe.value("block", signals.iter().fold(count, Fields::value))?;
                    let mut mask = [masks.last().cloned().unwrap_or_default(), signals].concat();
                    mask.sort_unstable();
                    mask.dedup();
                    masks.push(mask);
                }
                Step::DropNewest if masks.len() > 1 => {
                    probe.value("drop_guard", Fields::new())?;
                    masks.pop();
                }
                Step::DropNewest => {}
            }
            if let (Some(expected), Some(now)) = (masks.last(), probe.process.proc().signals()) {
                ensure_eq(what, expected, &numbers(now.blocked))?;
            }
        }
        Ok(())
    })
}
