//! `doctor`: what this machine can do, tried for real.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::Result;
use sandbox::Level;

use crate::commands::helper::TRACE_COMMAND;
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
    let watched = sandbox::try_watch(&helper, chosen).map_err(|refusal| refusal.reason);
    instrument(
        "faults in system calls",
        "calls of submissions can be announced",
        watched,
    );
    instrument(
        "schedules of shared memory",
        "submissions can be stopped at each access",
        try_trace(&helper, chosen),
    );
    Ok(ExitCode::SUCCESS)
}

/// One instrument of the hidden tests, in a line.
fn instrument(name: &str, means: &str, tried: Result<(), String>) {
    match tried {
        Ok(()) => show::line(format_args!("{name}: {} ({means})", styled(GOOD, "works"))),
        Err(reason) => show::line(format_args!(
            "{name}: not available: {reason}\n  hidden tests that need it end as `unavailable`; \
             what becomes of their points is for course.toml to say"
        )),
    }
}

/// Whether a program in a box of this level can be traced.
fn try_trace(helper: &Path, level: Level) -> Result<(), String> {
    let output = Command::new(helper)
        .args([TRACE_COMMAND, &level.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
