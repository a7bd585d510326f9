//! The grader of the course: the commands of its three readers. The only code that prints.

mod cli;
mod commands;
mod course;
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
        Command::Verify(args) => commands::verify::run(&args),
        Command::Publish(args) => commands::publish::run(&args),
        Command::Doctor => commands::doctor::run(),
        Command::Student(command) => return commands::student::run(&command),
    };
    done.unwrap_or_else(|error| {
        show::error(&error);
        ExitCode::from(1)
    })
}
