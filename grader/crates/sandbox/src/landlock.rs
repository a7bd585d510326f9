//! Landlock: a second wall behind the cell's root, should a mount be wrong.
//!
//! Signals are not scoped. In a PID namespace there is nobody else to send one to, and between
//! the programs of a box signals are part of the lesson.

use ::landlock::{
    ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
    path_beneath_rules,
};
use nix::errno::Errno;
use std::path::PathBuf;

use crate::step::{AtStep, StepError};

/// What programs may write to. `/dev/mqueue` is named because a Landlock domain that handles
/// reading and writing files makes `mq_open` fail unless the mounted queue file system is allowed.
const WRITABLE: [&str; 6] = [
    "/tmp",
    "/dev/shm",
    "/dev/mqueue",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
];

/// The newest rules this file was written for. An older kernel enforces those it knows.
const KNOWN: ABI = ABI::V6;

/// Restricts the calling process and what it will start: the whole root for reading, and
/// [`WRITABLE`] and `binds` for everything. `false` on a kernel without Landlock.
pub(crate) fn restrict(binds: &[PathBuf]) -> Result<bool, StepError> {
    let everything = AccessFs::from_all(KNOWN);
    let writable = WRITABLE
        .iter()
        .map(PathBuf::from)
        .chain(binds.iter().cloned());
    let enforce = || -> Result<RulesetStatus, RulesetError> {
        let status = Ruleset::default()
            .handle_access(everything)?
            .create()?
            .add_rules(path_beneath_rules(["/"], AccessFs::from_read(KNOWN)))?
            .add_rules(path_beneath_rules(writable, everything))?
            .restrict_self()?;
        Ok(status.ruleset)
    };
    match enforce() {
        Ok(status) => Ok(status != RulesetStatus::NotEnforced),
        Err(error) => Err(Errno::EINVAL).at(format!("restrict with Landlock ({error})")),
    }
}
