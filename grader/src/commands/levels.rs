//! A command on lower isolation levels: this program once more, with abilities taken away.

use std::process::Command;

use anyhow::{Result, ensure};
use sandbox::{Level, Machine};

use crate::commands::helper::{BEST_COMMAND, WITHIN_COMMAND};
use crate::show::{self, STRONG, styled};

/// Runs something on every level asked for that there is, or on all there are; whether all went
/// well.
///
/// # Errors
/// Those of `run`; and if one of the levels asked for is not to be had.
pub(crate) fn on_each(asked: &[Level], run: impl Fn(Machine) -> Result<bool>) -> Result<bool> {
    let mut missing = Level::ISOLATING.to_vec();
    missing.retain(|level| asked.is_empty() || asked.contains(level));
    let mut all_went_well = true;
    for machine in Machine::ALL {
        let level = best_on(machine)?;
        if let Some(at) = missing.iter().position(|it| *it == level) {
            missing.remove(at);
            let name = machine.name();
            show::line(styled(
                STRONG,
                format_args!("\nisolation {level}, machine {name}"),
            ));
            all_went_well &= run(machine)?;
        }
    }
    for level in &missing {
        show::line(format_args!(
            "isolation {level}: not to be had here by this user; `cargo lab doctor` says why"
        ));
    }
    ensure!(
        asked.is_empty() || missing.is_empty(),
        "nothing was tried on some of the levels asked for"
    );
    Ok(all_went_well)
}

/// This program on a machine.
///
/// # Errors
/// If its own path cannot be told.
pub(crate) fn on(machine: Machine) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([WITHIN_COMMAND, machine.name()]);
    Ok(command)
}

/// The best level of a machine; none where the machine cannot be made.
fn best_on(machine: Machine) -> Result<Level> {
    let output = on(machine)?.arg(BEST_COMMAND).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(match output.status.success() {
        true => said.trim().parse()?,
        false => Level::None,
    })
}
