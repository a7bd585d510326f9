//! Landlock: a second wall behind a cell's root, should a mount be wrong; and most of the fence
//! where there is no cell.
//!
//! In a cell, signals are not scoped: in a PID namespace there is nobody else to send one to. The
//! fence scopes them, and abstract socket names, to the programs of the box; between those,
//! signals are part of the lesson.

use ::landlock::{
    ABI, Access, AccessFs, BitFlags, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use nix::errno::Errno;
use nix::sys::prctl;
use std::path::{Path, PathBuf};

use crate::fence::Fence;
use crate::mounts;
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

/// What programs behind a fence may read, beside the folders of the system: what name lookups
/// read, themselves in `/proc` (the kernel keeps the rest of it from them), and devices.
const READABLE: [&str; 6] = [
    "/proc",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/dev/random",
    "/dev/urandom",
];

/// What they may write to, beside their work folder.
const SHARED: [&str; 5] = [
    "/dev/shm",
    "/dev/mqueue",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
];

/// The newest rules that the fence was written for: it has no other wall behind it.
const FENCE: ABI = ABI::V9;

/// Puts up the fence around the calling process and what it will start; an error where the kernel
/// has no Landlock, or none that would keep the programs' signals inside.
pub(crate) fn fence(fence: &Fence) -> Result<(), StepError> {
    let abi = enforce(fence, Scope::from_all(FENCE), None)?;
    // Under a spare uid there is nobody but each other to send a signal to.
    if abi < ABI::V6 && fence.spare.is_none() {
        return Err(Errno::ENOSYS).at("scope signals with Landlock, as Linux 6.12 can");
    }
    Ok(())
}

/// Keeps room and guardian to the files of the box too, though not their signals. A program may
/// leave a link where a test will read or write: it shall lead nowhere that the program could not
/// get to itself.
pub(crate) fn fence_in_room(fence: &Fence) -> Result<(), StepError> {
    prctl::set_no_new_privs().at("set no_new_privs")?;
    // The work folder has to be removed in the end.
    enforce(fence, BitFlags::EMPTY, fence.work_dir.parent()).map(drop)
}

/// Restricts the calling process to the files of the box, and to removing folders in `emptied`.
fn enforce(
    fence: &Fence,
    scopes: BitFlags<Scope>,
    emptied: Option<&Path>,
) -> Result<ABI, StepError> {
    let everything = AccessFs::from_all(FENCE);
    let readable = mounts::SYSTEM
        .iter()
        .chain(&READABLE)
        .map(PathBuf::from)
        .chain(fence.readable.iter().cloned());
    let writable = SHARED
        .iter()
        .map(PathBuf::from)
        .chain(fence.writable.iter().cloned())
        .chain([fence.work_dir.clone()]);
    let enforce = || -> Result<RestrictionStatus, RulesetError> {
        let ruleset = Ruleset::default().handle_access(everything)?;
        let ruleset = match scopes.is_empty() {
            true => ruleset,
            false => ruleset.scope(scopes)?,
        };
        ruleset
            .create()?
            .add_rules(path_beneath_rules(readable, AccessFs::from_read(FENCE)))?
            .add_rules(path_beneath_rules(writable, everything))?
            .add_rules(path_beneath_rules(emptied, AccessFs::RemoveDir))?
            .restrict_self()
    };
    let step = "fence programs in with Landlock";
    let status = enforce().map_err(|_| Errno::EINVAL).at(step)?;
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => Ok(effective_abi),
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => Err(Errno::ENOSYS).at(step),
    }
}
