//! `doctor`: what this machine can do, tried for real.

use std::process::ExitCode;

use anyhow::Result;

use crate::isolation;
use crate::show::{self, GOOD, styled};

/// Prints the isolation rung and why no better one is to be had.
pub(crate) fn run() -> Result<ExitCode> {
    let (level, refusals) = sandbox::best_level(&std::env::current_exe()?);
    show::line(format_args!(
        "isolation: {} ({})",
        styled(GOOD, level),
        level.describe()
    ));
    for refusal in &refusals {
        show::line(format_args!(
            "not available: {}",
            isolation::describe(refusal).trim_start()
        ));
    }
    Ok(ExitCode::SUCCESS)
}
