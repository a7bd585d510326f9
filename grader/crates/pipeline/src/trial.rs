//! Tries an isolation level out: the whole way of a submission, from its source to a program that
//! ran, with the toolchain and in the kinds of folders that grading uses.
//!
//! A box in which `true` runs is not enough: the compiler may lie where the box's user cannot get.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sandbox::{Bind, BoxSpec, Level, Sandbox, UnknownLevel};

use crate::build::{BuildAnswer, BuildRequest, ask_helper, rustc};
use crate::kit::toolchain;
use crate::seat::take;
use crate::stop::Stop;

/// Long enough for any machine; the program takes a few milliseconds.
const TRIAL: Duration = Duration::from_secs(10);

/// The hidden command that calls [`run_trial`], followed by a level and a folder.
pub const TRIAL_COMMAND: &str = "__box-trial";

/// Builds and runs a small program on this level, for the course in `root`; says what failed.
/// `helper` is the grader itself: each box needs a process of its own.
///
/// # Errors
/// What went wrong, with the failing step.
pub fn try_out(root: &Path, level: Level, helper: &Path) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let (sysroot, _) = toolchain(root).map_err(|error| words(&error))?;
    // Where compiled dependencies are, which every build reads.
    let kits = root.join("target/kits");
    fs::create_dir_all(&kits).map_err(|error| format!("{}: {error}", kits.display()))?;
    let folder = tempfile::Builder::new().prefix("seat-").tempdir();
    let folder = folder.map_err(|error| words(&error))?;
    lay_out(folder.path()).map_err(|error| words(&error))?;
    build(folder.path(), &kits, &sysroot, level, helper)?;
    let trial = Command::new(helper)
        .args([TRIAL_COMMAND, &level.to_string()])
        .arg(folder.path().join("programs"))
        .env_clear()
        .output()
        .map_err(|error| format!("running {}: {error}", helper.display()))?;
    match trial.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&trial.stderr).trim().to_owned()),
    }
}

/// Runs the program that was built for a trial, in the box of a test. The calling process is good
/// for nothing else afterwards.
///
/// # Errors
/// What went wrong, with the failing step.
pub fn run_trial(level: &str, programs: &Path) -> Result<(), String> {
    let level = level
        .parse()
        .map_err(|error: UnknownLevel| error.to_string())?;
    run(programs, level)
}

fn lay_out(folder: &Path) -> std::io::Result<()> {
    for (name, mode) in [
        ("", 0o755),
        ("source", 0o755),
        ("output", 0o777),
        ("programs", 0o755),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
    }
    fs::write(folder.join("source/trial.rs"), "fn main() {}\n")
}

fn build(
    folder: &Path,
    kits: &Path,
    sysroot: &Path,
    level: Level,
    helper: &Path,
) -> Result<(), String> {
    let (source, output) = (folder.join("source"), folder.join("output"));
    let place = |path: &Path, target: &str| match level.has_private_root() {
        true => target.to_owned(),
        false => path.to_string_lossy().into_owned(),
    };
    let out = format!("{}/trial", place(&output, "/out"));
    let toolchain = place(sysroot, "/toolchain");
    let request = BuildRequest {
        level: level.to_string(),
        cwd: place(&source, "/seat").into(),
        steps: vec![rustc(level, &toolchain, "trial", "bin", "trial.rs", &out)],
        optional: Vec::new(),
        binds: vec![
            (source, "/seat".into(), false),
            (output.clone(), "/out".into(), true),
            (kits.to_owned(), "/deps".into(), false),
            (sysroot.to_owned(), "/toolchain".into(), false),
        ],
    };
    match ask_helper(&request, helper, &Stop::default()) {
        Ok(BuildAnswer::Done) => take(&output.join("trial"), &folder.join("programs/trial"))
            .map_err(|error| format!("taking what the compiler wrote: {error}")),
        Ok(BuildAnswer::Failed(words)) => Err(format!("the compiler failed in the box: {words}")),
        Ok(BuildAnswer::Fault(reason)) => Err(reason),
        Err(error) => Err(format!("the build helper: {error}")),
    }
}

fn run(programs: &Path, level: Level) -> Result<(), String> {
    let target = PathBuf::from("/lab");
    let inside = match level.has_private_root() {
        true => target.join("trial"),
        false => programs.join("trial"),
    };
    let spec = BoxSpec {
        binds: vec![Bind {
            source: programs.to_owned(),
            target,
            writable: false,
        }],
        ..BoxSpec::default()
    };
    let sandbox = Sandbox::open(&spec, level).map_err(|error| error.to_string())?;
    let child = sandbox
        .spawn(sandbox::Command::new(inside))
        .map_err(|error| error.to_string())?;
    let ended = child.wait_until(Instant::now() + TRIAL);
    sandbox.close();
    match ended {
        Some(exit) if exit.status.success() => Ok(()),
        Some(exit) => Err(format!("a trial program ended with {}", exit.status)),
        None => Err("a trial program did not end".to_owned()),
    }
}
