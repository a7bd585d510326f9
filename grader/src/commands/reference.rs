//! `reference`: every command with its help as one page of the book, made from the command line's
//! own definition. Hidden: it is for those who change a command.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Command, CommandFactory};

use crate::cli::Cli;
use crate::show;

/// The widest line of a help text.
const WIDTH: usize = 80;

/// Prints the page.
pub(crate) fn run() -> Result<ExitCode> {
    show::line(page().trim_end());
    Ok(ExitCode::SUCCESS)
}

fn page() -> String {
    let mut cli = Cli::command().term_width(WIDTH);
    cli.build();
    let mut page = "# Commands\n\nWhat `cargo lab COMMAND --help` says, for every command. This \
                    page is generated: a test compares it\nwith the program and says how to make \
                    it anew.\n"
        .to_owned();
    section(&mut page, cli.clone().disable_help_subcommand(true));
    for command in cli.get_subcommands() {
        let is_shown = !command.is_hide_set() && command.get_name() != "help";
        if is_shown {
            section(&mut page, command.clone());
        }
    }
    page
}

fn section(page: &mut String, command: Command) {
    let mut command = command.term_width(WIDTH);
    let name = command
        .get_bin_name()
        .unwrap_or(command.get_name())
        .to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n"));
}
