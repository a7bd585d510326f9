//! `cargo lab` in a student's tree: the commands of the student's loop and nothing else.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs the public tests of your labs, gives hints, and watches your files.
#[derive(Debug, Parser)]
#[command(
    name = "cargo lab",
    bin_name = "cargo lab",
    version,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The student's loop, and what the grader has of its own with more options.
#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Loop(student::Command),
    Compare(student::CompareArgs),
}

fn main() -> ExitCode {
    if let Some(code) = student::run_if_asked() {
        return code;
    }
    let done = match Cli::parse().command {
        Command::Loop(command) => student::run(&command),
        Command::Compare(args) => student::compare(&args),
    };
    done.unwrap_or_else(|error| {
        student::show::error(&error);
        ExitCode::from(student::NOT_RUN)
    })
}
