//! `cargo lab` in a student's tree: the commands of the student's loop and nothing else.

use std::process::ExitCode;

use clap::Parser;

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
    command: student::Command,
}

fn main() -> ExitCode {
    if let Some(code) = student::run_if_asked() {
        return code;
    }
    student::run(&Cli::parse().command).unwrap_or_else(|error| {
        student::show::error(&error);
        ExitCode::from(student::NOT_RUN)
    })
}
