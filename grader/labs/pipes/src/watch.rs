//! Finds the programs that a submission has started, from outside.

use harness::{Bench, Check, Process, Symptom, found};
use instruments::Process as Seen;

/// Waits until the children of `parent` are programs of these names and all of them sleep. They
/// come in the order in which they were started.
pub(crate) fn idle_stages(bench: &Bench, parent: &Process, names: &[&str]) -> Check<Vec<Seen>> {
    let mut stages = Vec::new();
    let mut ended = false;
    bench.until(|| {
        ended = parent.exit().is_some();
        stages = parent.proc().children();
        stages.sort();
        let seen = stages.iter().map(|stage| (stage.name(), stage.is_asleep()));
        ended || seen.eq(names.iter().map(|&name| (Some(name.to_owned()), true)))
    });
    if !ended {
        return Ok(stages);
    }
    Err(found(
        Symptom::EarlyExit,
        format!(
            "`{}` ended while its stages had work to do",
            parent.command()
        ),
        format!("the programs {} wait for input", names.join(", ")),
        format!("an end, saying: {:?}", parent.stderr_so_far()),
    ))
}
