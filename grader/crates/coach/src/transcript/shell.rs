//! One bash(1) for one session, watched like everything else that a test starts.

use std::fs;
use std::io::{self, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, iter};

use instruments::Process;

use super::Place;
use super::session::Session;
use crate::capture::Streams;
use crate::deadline::{autopsy, for_a_test};
use crate::reaper;

/// A session is many commands, so it has more time than a test.
const SESSION: u32 = 6;

/// What a session printed.
pub(super) struct Run {
    /// The output of each command that began.
    pub(super) outputs: Vec<String>,
    /// What came after the last of them.
    pub(super) rest: String,
    /// Why the last of them did not end.
    pub(super) hang: Option<String>,
}

/// Runs the session to its end, or until it is given up, and leaves nothing behind.
pub(super) fn run(
    session: &Session,
    programs: &[(&str, &Path)],
    place: &Place<'_>,
) -> io::Result<Run> {
    let folder = tempfile::tempdir()?;
    let bin = folder.path().join("bin");
    let work = folder.path().join("work");
    fs::create_dir(&bin)?;
    fs::create_dir(&work)?;
    for (name, program) in programs {
        symlink(fs::canonicalize(program)?, bin.join(name))?;
    }
    let mark = reaper::new_mark();
    let work = place.folder.unwrap_or(&work);
    let (mut child, mut streams) = start(&script(session, &mark), work, &bin, &mark)?;
    let began = Instant::now();
    let deadline = place.patience.unwrap_or(for_a_test() * SESSION);
    while !streams.child_has_ended() && began.elapsed() < deadline {
        streams.step(deadline.saturating_sub(began.elapsed()));
    }
    let hang = (!streams.child_has_ended()).then(|| diagnose(&child, began.elapsed()));
    reaper::kill_tree(child.id().cast_signed());
    reaper::kill_marked(&mark);
    child.wait()?;
    streams.move_what_is_there();
    let printed = String::from_utf8_lossy(&streams.stdout.bytes);
    let end = end_of_command(&mark);
    let mut outputs: Vec<String> = printed.split(&end).map(str::to_owned).collect();
    // What follows the last mark is the output of the command that hangs, if one does.
    let rest = if hang.is_none() {
        outputs.pop().unwrap_or_default()
    } else {
        String::new()
    };
    Ok(Run {
        outputs,
        rest,
        hang,
    })
}

fn diagnose(shell: &Child, time: Duration) -> String {
    let shell = Process::new(shell.id().cast_signed());
    format!(
        "still waiting after {} s\n{}",
        time.as_secs(),
        autopsy(&[shell.pid()])
    )
}

fn start(script: &str, work: &Path, bin: &Path, mark: &str) -> io::Result<(Child, Streams)> {
    // Both outputs through one pipe keep their order.
    let (ours, theirs) = pipe()?;
    let old = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(iter::once(PathBuf::from(bin)).chain(env::split_paths(&old)))
        .map_err(io::Error::other)?;
    let child = Command::new("bash")
        .args(["--noprofile", "--norc", "-c", script, "bash"])
        .current_dir(work)
        .env("PATH", path)
        .env("LC_ALL", "C")
        .env_remove("BASH_ENV")
        .env(reaper::MARK, mark)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(theirs.try_clone()?)
        .stderr(theirs)
        .spawn()?;
    let streams = Streams::merged(&child, OwnedFd::from(ours))?;
    Ok((child, streams))
}

/// The commands, each followed by a mark in the output that leaves `$?` as it was.
fn script(session: &Session, mark: &str) -> String {
    let end = end_of_command(mark);
    let function = format!("end_of_command() {{ local s=$?; printf '%s' '{end}'; return $s; }}\n");
    let steps = session
        .steps
        .iter()
        .map(|step| format!("{}\nend_of_command\n", step.command));
    iter::once(function).chain(steps).collect()
}

/// Control characters, so that no program prints it by chance.
fn end_of_command(mark: &str) -> String {
    format!("\u{1}{mark}\u{2}")
}
