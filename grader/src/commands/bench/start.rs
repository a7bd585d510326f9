//! How long the grader takes to say anything at all.

use std::process::Command;

use anyhow::{Result, ensure};
use pipeline::cost;

use super::table::{Goal, Table, median};

/// So often it is started.
const TIMES: usize = 21;

pub(super) fn measure(table: &mut Table) -> Result<()> {
    let program = std::env::current_exe()?;
    let mut wall = Vec::new();
    for _ in 0..TIMES {
        let (output, its) = cost(|| Command::new(&program).arg("--help").output());
        ensure!(output?.status.success(), "--help fails");
        wall.push(its.wall.as_secs_f64() * 1e3);
    }
    let note = format!("wall, of {TIMES} starts");
    table.add(
        "`cargo lab --help` without cargo",
        median(wall),
        "ms",
        Some(Goal::AtMost(20.0)),
        note,
    );
    Ok(())
}
