//! `doctor`: what this machine can do, tried for real.

use std::process::ExitCode;

use anyhow::Result;
use sandbox::Level;

use crate::show::{self, GOOD, styled};

/// Prints which isolation rungs work here, what the best of them does not promise, and which
/// instruments the hidden tests have.
pub(crate) fn run() -> Result<ExitCode> {
    let helper = std::env::current_exe()?;
    let mut best = None;
    for level in Level::ISOLATING {
        match sandbox::try_level(&helper, level) {
            Ok(()) => {
                best = best.or(Some(level));
                show::line(format_args!(
                    "isolation {}: works ({})",
                    styled(GOOD, level),
                    level.describe()
                ));
            }
            Err(refusal) => show::line(format_args!(
                "isolation {level}: not available: {}",
                refusal.reason
            )),
        }
    }
    let chosen = best.unwrap_or(Level::None);
    show::line(format_args!("submissions run on {chosen}"));
    for missing in chosen.not_promised() {
        show::line(format_args!("  not promised: {missing}"));
    }
    match sandbox::try_watch(&helper, chosen) {
        Ok(()) => show::line(format_args!(
            "faults in system calls: {} (calls of submissions can be announced)",
            styled(GOOD, "works")
        )),
        Err(refusal) => show::line(format_args!(
            "faults in system calls: not available: {}\n  hidden tests that inject them end as \
             `unavailable`, and their points count for nobody",
            refusal.reason
        )),
    }
    Ok(ExitCode::SUCCESS)
}
