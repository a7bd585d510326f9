//! Recording and injection on the real kernel: every case is a process of its own, on every level
//! of isolation that this machine gives to root, to root without the rights of a debugger, and to
//! an ordinary user.
//!
//! This executable is the runner, a case (`case LEVEL NAME`) and the programs that are watched
//! (`victim NAME …`). `cargo test -p instruments --test inject -- short` runs the cases whose
//! title has that word; `measure` prints what a recorded call costs.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test without the standard harness, which clippy does not take for one"
)]

mod cases;
mod machine;
mod measure;
mod stage;
mod victim;

use std::process::ExitCode;

use sandbox::CHECK_COMMAND;

use crate::machine::{Installed, User};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["victim", name, ref rest @ ..] => victim::run(name, rest),
        ["case", level, name] => {
            let case = cases::CASES.iter().find(|(known, _)| *known == name);
            case.unwrap().1(level.parse().unwrap());
        }
        ["within", user, ref program @ ..] => {
            eprintln!("{}", User::named(user).become_and_run(program));
            return ExitCode::FAILURE;
        }
        ["measure"] => measure::run(&Installed::new().exe),
        ["measure", how @ ("recorded" | "with-results"), n_calls] => {
            measure::recorded(n_calls.parse().unwrap(), how == "with-results")
        }
        [CHECK_COMMAND, level] => {
            if let Err(error) = sandbox::check(level.parse().unwrap()) {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
        _ => return run_all(&args),
    }
    ExitCode::SUCCESS
}

fn run_all(words: &[&str]) -> ExitCode {
    let words: Vec<&&str> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let installed = Installed::new();
    let (mut n_run, mut n_failed) = (0, 0);
    for &user in User::all() {
        for &level in user.levels() {
            if let Err(reason) = installed.gives(user, level) {
                println!(
                    "{} level {level}: not on this machine: {reason}",
                    user.name()
                );
                continue;
            }
            for (name, _) in cases::CASES {
                let title = format!("{} level {level} {name}", user.name());
                if !words.is_empty() && !words.iter().any(|word| title.contains(**word)) {
                    continue;
                }
                n_run += 1;
                let output = installed
                    .as_user(user)
                    .args(["case", &level.to_string(), name])
                    .output()
                    .unwrap();
                let is_ok = output.status.success();
                println!("{title} ... {}", if is_ok { "ok" } else { "FAILED" });
                if !is_ok {
                    n_failed += 1;
                    println!("{}", String::from_utf8_lossy(&output.stderr));
                }
            }
        }
    }
    println!("{n_run} cases, {n_failed} failed");
    ExitCode::from(u8::from(n_failed > 0 || n_run == 0))
}
