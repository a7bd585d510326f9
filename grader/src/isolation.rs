//! Chooses the isolation rung: the best that works here, and never below what was asked for.

use anyhow::{Result, bail};
use sandbox::{Level, Refusal};

use crate::cli::RunningArgs;

/// The rung to run submissions on.
pub(crate) fn choose(args: &RunningArgs) -> Result<Level> {
    match args.i_trust_this_code {
        true => Ok(Level::None),
        false => at_least(args.isolation),
    }
}

/// The best rung that works here.
pub(crate) fn at_least(asked: Level) -> Result<Level> {
    let (level, refusals) = sandbox::best_level(&std::env::current_exe()?);
    if level >= asked {
        return Ok(level);
    }
    let why: Vec<String> = refusals.iter().map(describe).collect();
    bail!(
        "this machine cannot isolate submissions as {asked} asks for; `cargo lab doctor` says more\n{}",
        why.join("\n")
    )
}

/// One refused rung in a line.
pub(crate) fn describe(refusal: &Refusal) -> String {
    format!("  {}: {}", refusal.level, refusal.reason)
}
