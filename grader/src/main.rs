//! The grader of the course: the commands of its three readers. The only code that prints.

mod cli;
mod commands;
mod course;
mod interrupt;
mod isolation;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use student::show;

fn main() -> ExitCode {
    // The helpers open boxes, which needs a process with one thread: before anything else.
    if let Some(code) = commands::helper::run_if_asked() {
        return code;
    }
    let done = match Cli::parse().command {
        Command::Grade(args) => commands::grade::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Diff(args) => commands::diff::run(&args),
        Command::Explain(args) => commands::explain::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Publish(args) => commands::publish::run(&args),
        Command::Compare(args) => commands::compare::run(&args),
        Command::Doctor => commands::doctor::run(),
        Command::Reference => commands::reference::run(),
        Command::Student(command) => return commands::student::run(&command),
    };
    done.unwrap_or_else(|error| {
        show::error(&error);
        ExitCode::from(1)
    })
}
