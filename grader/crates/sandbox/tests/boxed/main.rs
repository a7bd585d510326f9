//! The box on the real kernel: every case is a process of its own, on every level that this
//! machine gives to root and to an ordinary user, as it is or with abilities taken away.
//!
//! This executable is the runner, a case (`case LEVEL NAME`), the programs that run in the box
//! (`student NAME …`), and a lesser machine to do all that on (`within MACHINE UID PROGRAM …`).
//! `cargo test -p sandbox --test boxed -- fifo` runs the cases whose title has one of the given
//! words; `cargo test --release -p sandbox --test boxed -- measure` prints what a box costs, beside
//! bubblewrap.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test without the standard harness, which clippy does not take for one"
)]

mod bench;
mod ending;
mod fence;
mod ipc;
mod launch;
mod measure;
mod student;
mod touch;
mod walls;
mod watch;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use sandbox::{CHECK_COMMAND, Level, Machine, best_level};

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
        ["measure"] => {
            measure::run(&Installed::new().exe, &users());
            ExitCode::SUCCESS
        }
        ["measure", level] => {
            measure::serve(level.parse().unwrap());
            ExitCode::SUCCESS
        }
        ["measure-whole", level] => {
            measure::serve_whole(level.parse().unwrap());
            ExitCode::SUCCESS
        }
        ["measure-program", level] => {
            measure::whole(level.parse().unwrap());
            ExitCode::SUCCESS
        }
        ["within", machine, uid, ref program @ ..] => {
            let machine: Machine = machine.parse().unwrap();
            machine.enter(Some(uid.parse().unwrap())).unwrap();
            let error = Command::new(program[0]).args(&program[1..]).exec();
            eprintln!("{}: {error}", program[0]);
            ExitCode::FAILURE
        }
        ["best"] => {
            let (best, refusals) = best_level(&std::env::current_exe().unwrap());
            print!("{best}");
            for refusal in &refusals {
                eprintln!("{}: {}", refusal.level, refusal.reason);
            }
            assert!(refusals.iter().all(|refusal| refusal.level > best));
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
    let mut tables = vec![ending::ANYWHERE, watch::CASES];
    if level != Level::None {
        tables.extend([launch::CASES, ipc::CASES, walls::CASES, ending::CASES]);
    }
    if level >= Level::C {
        tables.extend([walls::CELL, ending::CELL]);
    }
    match level {
        Level::A | Level::B => {
            tables.extend([launch::WITH_PROC, ipc::WITH_PROC, walls::CELL_WITH_PROC]);
        }
        Level::D | Level::E => {
            tables.extend([launch::WITH_PROC, ipc::WITH_PROC, fence::CASES]);
        }
        Level::C | Level::None => {}
    }
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
    for (uid, machine) in users()
        .into_iter()
        .flat_map(|uid| Machine::ALL.map(|it| (uid, it)))
    {
        for level in levels(machine, uid).iter().copied() {
            if let Err(reason) = gives(&folder.exe, machine, uid, level) {
                println!("uid {uid} level {level}: not on this machine: {reason}");
                continue;
            }
            for (name, _) in cases_of(level) {
                let title = format!("uid {uid} level {level} {name}");
                if !wanted.is_empty() && !wanted.iter().any(|word| title.contains(word)) {
                    continue;
                }
                run += 1;
                let output = within(&folder.exe, machine, uid)
                    .args(["case", &level.to_string(), name])
                    .output()
                    .unwrap();
                if output.status.success() {
                    println!("{title} ... ok");
                    print!("{}", String::from_utf8_lossy(&output.stdout));
                } else {
                    failures += 1;
                    println!("{title} ... FAILED ({})", output.status);
                    println!("{}", String::from_utf8_lossy(&output.stderr));
                }
            }
        }
        if wanted.is_empty() {
            let output = within(&folder.exe, machine, uid)
                .arg("best")
                .output()
                .unwrap();
            let best = String::from_utf8_lossy(&output.stdout);
            let reasons = String::from_utf8_lossy(&output.stderr);
            println!(
                "uid {uid}, machine {}: best level {best}\n{reasons}",
                machine.name()
            );
            let expected = best_of(machine, uid).map(|level| level.to_string());
            failures += u32::from(expected.is_some_and(|level| level != best));
        }
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

/// The levels to run the cases on.
fn levels(machine: Machine, uid: u32) -> &'static [Level] {
    match machine {
        Machine::Whole => &[Level::A, Level::B, Level::None],
        Machine::MaskedProc => &[Level::C],
        Machine::NoNamespaces if uid == 0 => &[Level::D],
        Machine::NoNamespaces => &[Level::E],
        Machine::NoTracing | Machine::NoCgroups | Machine::NoLandlock => &[],
    }
}

/// What [`best_level`] must find, unless the machine is this one.
fn best_of(machine: Machine, uid: u32) -> Option<Level> {
    match machine {
        Machine::Whole | Machine::NoTracing => None,
        Machine::NoCgroups => Some(Level::B),
        Machine::NoLandlock => Some(Level::None),
        Machine::MaskedProc | Machine::NoNamespaces => levels(machine, uid).first().copied(),
    }
}

/// This executable, on that machine and as that user.
pub(crate) fn within(exe: &Path, machine: Machine, uid: u32) -> Command {
    let mut command = Command::new(exe);
    command
        .args(["within", machine.name(), &uid.to_string()])
        .arg(exe);
    if uid != nix::unistd::geteuid().as_raw() {
        command.current_dir("/");
    }
    command
}

pub(crate) fn gives(exe: &Path, machine: Machine, uid: u32, level: Level) -> Result<(), String> {
    let output = within(exe, machine, uid)
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
