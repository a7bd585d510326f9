//! Replays the shell sessions of a handout, for those who maintain it: what a student is told to
//! type must work, and print what the handout says.
//!
//! Every fenced `console` block is one session in a fresh, empty folder. `$ ` begins a command,
//! `> ` continues it, and the lines after it are what it prints, on both outputs as it comes.
//! `[..]` stands for any text within a line, a line `...` for any number of lines. A line
//! `<!-- needs: socat, nc -->` just before a block names tools that may be missing.

mod pattern;
mod session;
mod shell;

use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use session::Session;

/// With this in the environment a missing tool is a failure: there the tools must be installed.
const NEED_TOOLS: &str = "TRANSCRIPTS_NEED_TOOLS";

/// What [`replay`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Blocks that printed what they should.
    pub replayed: usize,
    /// Blocks that need a tool which is not installed.
    pub skipped: usize,
}

/// Replays every `console` block of `readme`. Each of `programs` can be called by its name.
///
/// # Panics
/// When a command prints something else, hangs, or needs a tool that has to be there.
#[track_caller]
pub fn replay(readme: &Path, programs: &[(&str, &Path)]) -> Counts {
    replay_at(readme, programs, &Place::default())
}

/// Where sessions run, and how long they may take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    /// The folder that all sessions share, one after the other; without it each has a fresh one.
    pub folder: Option<&'a Path>,
    /// When a session is given up, if not after some times as long as a test.
    pub patience: Option<Duration>,
}

/// Replays every `console` block of `readme` as [`replay`] does, at another place: for a guide whose
/// sessions build on each other.
///
/// # Panics
/// As [`replay`].
#[track_caller]
pub fn replay_at(readme: &Path, programs: &[(&str, &Path)], place: &Place<'_>) -> Counts {
    let name = readme.display();
    let text = fs::read_to_string(readme).unwrap_or_else(|error| panic!("{name}: {error}"));
    let sessions = session::parse(&text).unwrap_or_else(|error| panic!("{name}:{error}"));
    let mut counts = Counts::default();
    for session in sessions {
        let missing: Vec<&str> = session
            .needs
            .iter()
            .map(String::as_str)
            .filter(|tool| !is_installed(tool))
            .collect();
        if missing.is_empty() {
            check(readme, &session, programs, place);
            counts.replayed += 1;
        } else {
            skip(&format!(
                "{name}:{}: needs {}",
                session.line,
                missing.join(", ")
            ));
            counts.skipped += 1;
        }
    }
    counts
}

#[track_caller]
fn check(readme: &Path, session: &Session, programs: &[(&str, &Path)], place: &Place<'_>) {
    let name = readme.display();
    let run = shell::run(session, programs, place)
        .unwrap_or_else(|error| panic!("{name}:{}: the shell: {error}", session.line));
    for (index, step) in session.steps.iter().enumerate() {
        let Some(printed) = run.outputs.get(index) else {
            panic!(
                "\n{name}:{}: the shell ended before or in `$ {}`, after printing:\n{}",
                step.line, step.command, run.rest
            )
        };
        // The session stopped inside this command, so its output is not all there.
        let hang = run.hang.as_ref().filter(|_| index + 1 == run.outputs.len());
        let printed: Vec<&str> = printed.lines().collect();
        if hang.is_none() && pattern::matches(&step.expected, &printed) {
            continue;
        }
        let hang = hang.map_or(String::new(), |hang| format!("\nit never ended: {hang}"));
        panic!(
            "\n{name}:{}: `$ {}`\nexpected:\n{}\ngot:\n{}{hang}\n",
            step.line,
            step.command,
            indented(&step.expected),
            indented(&printed),
        );
    }
}

#[track_caller]
#[expect(
    clippy::print_stdout,
    reason = "libtest catches print! and shows it with this test"
)]
fn skip(what: &str) {
    assert!(
        env::var_os(NEED_TOOLS).is_none(),
        "{what}, and {NEED_TOOLS} is set"
    );
    println!("skipped {what}");
}

fn is_installed(tool: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}

fn indented<S: AsRef<str>>(lines: &[S]) -> String {
    let lines: Vec<String> = lines
        .iter()
        .map(|line| format!("    {}", line.as_ref()))
        .collect();
    lines.join("\n")
}
