//! The box on the real kernel: every case is a process of its own, on every level that this
//! machine gives to root and to an ordinary user.
//!
//! This executable is three things: the runner, a case (`case LEVEL NAME`), and the programs that
//! run in the box (`student NAME …`). `cargo test -p sandbox --test boxed -- fifo` runs the cases
//! whose title has one of the given words; `boxed measure LEVEL` prints what a start costs.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test without the standard harness, which clippy does not take for one"
)]

mod bench;
mod ending;
mod ipc;
mod launch;
mod measure;
mod student;
mod walls;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use sandbox::{CHECK_COMMAND, Level, best_level};

/// A name that is a sentence, and what it does on a level.
type Case = (&'static str, fn(Level));

/// Makes a table of cases from functions, named after them.
macro_rules! cases {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name as fn(sandbox::Level))),*] };
}
pub(crate) use cases;

/// The user id of nobody in particular.
const ORDINARY: u32 = 65534;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["student", name, ref rest @ ..] => student::run(name, rest),
        ["case", level, name] => {
            run_case(level.parse().unwrap(), name);
            ExitCode::SUCCESS
        }
        ["measure", level] => {
            measure::run(level.parse().unwrap());
            ExitCode::SUCCESS
        }
        [CHECK_COMMAND, level] => match sandbox::check(level.parse().unwrap()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            let wanted: Vec<&str> = args
                .into_iter()
                .filter(|word| !word.starts_with('-'))
                .collect();
            run_all(&wanted)
        }
    }
}

fn cases_of(level: Level) -> Vec<Case> {
    let tables = match level {
        Level::None => vec![ending::ANYWHERE],
        _ => vec![
            launch::CASES,
            ipc::CASES,
            walls::CASES,
            ending::ANYWHERE,
            ending::CASES,
        ],
    };
    tables.concat()
}

fn run_case(level: Level, name: &str) {
    let (_, case) = cases_of(level)
        .into_iter()
        .find(|(its, _)| *its == name)
        .unwrap();
    case(level);
}

fn run_all(wanted: &[&str]) -> ExitCode {
    let folder = Installed::new();
    let mut failures = 0;
    let mut run = 0;
    for uid in users() {
        for level in [Level::A, Level::B, Level::None] {
            if let Err(reason) = gives(&folder.exe, uid, level) {
                println!("uid {uid} level {level}: not on this machine: {reason}");
                continue;
            }
            for (name, _) in cases_of(level) {
                let title = format!("uid {uid} level {level} {name}");
                if !wanted.is_empty() && !wanted.iter().any(|word| title.contains(word)) {
                    continue;
                }
                run += 1;
                let output = as_user(&folder.exe, uid)
                    .args(["case", &level.to_string(), name])
                    .output()
                    .unwrap();
                if output.status.success() {
                    println!("{title} ... ok");
                } else {
                    failures += 1;
                    println!("{title} ... FAILED ({})", output.status);
                    println!("{}", String::from_utf8_lossy(&output.stderr));
                }
            }
        }
    }
    if wanted.is_empty() {
        let (best, refusals) = best_level(&folder.exe);
        println!("best level: {best}; refused: {refusals:?}");
        assert_eq!(
            refusals.len(),
            Level::ISOLATING.iter().filter(|its| **its > best).count()
        );
    }
    println!("{run} cases, {failures} failed");
    if failures == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Root tests for both; anyone else only as itself.
fn users() -> Vec<u32> {
    match nix::unistd::geteuid().as_raw() {
        0 => vec![0, ORDINARY],
        uid => vec![uid],
    }
}

fn as_user(exe: &Path, uid: u32) -> Command {
    let mut command = Command::new(exe);
    if uid != nix::unistd::geteuid().as_raw() {
        command.uid(uid).gid(uid).current_dir("/");
    }
    command
}

fn gives(exe: &Path, uid: u32, level: Level) -> Result<(), String> {
    let output = as_user(exe, uid)
        .args([CHECK_COMMAND, &level.to_string()])
        .output()
        .unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// A copy of this executable where every user can read it.
struct Installed {
    folder: PathBuf,
    exe: PathBuf,
}

impl Installed {
    fn new() -> Self {
        let folder = nix::unistd::mkdtemp(&std::env::temp_dir().join("box-test-XXXXXX")).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let exe = folder.join("boxed");
        fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
        fs::set_permissions(&exe, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder, exe }
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
