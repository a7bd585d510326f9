//! Hidden commands: this program as the process that opens a box. Not for people.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::Context;
use instruments::explore::{Explorer, Plan};
use sandbox::{BoxSpec, Level, Machine, Sandbox};

use crate::{course, show};

/// `__within MACHINE ARGUMENT…`: this program again, on a machine that gives less.
pub(crate) const WITHIN_COMMAND: &str = "__within";

/// `__box-trace LEVEL`: traces a program in a box of that level.
pub(crate) const TRACE_COMMAND: &str = "__box-trace";

/// Prints the best isolation level.
pub(crate) const BEST_COMMAND: &str = "__best";

/// Runs the hidden command, if one was asked for.
pub(crate) fn run_if_asked() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    match args.next()?.as_str() {
        "__build" => Some(finish(pipeline::build_in_box().map_err(Into::into))),
        pipeline::BYSTANDER_COMMAND => Some(finish(pipeline::stand_by().map_err(Into::into))),
        sandbox::CHECK_COMMAND => Some(finish(check(args.next()))),
        sandbox::CHECK_WATCH_COMMAND => Some(finish(check_watch(args.next()))),
        TRACE_COMMAND => Some(finish(trace(args.next()))),
        pipeline::TRIAL_COMMAND => Some(finish(trial(args.next(), args.next()))),
        WITHIN_COMMAND => Some(finish(within(args.next(), args))),
        BEST_COMMAND => Some(finish(best())),
        _ => student::run_if_asked(),
    }
}

/// Returns only where it fails.
fn within(machine: Option<String>, args: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let machine: Machine = machine.unwrap_or_default().parse()?;
    let name = machine.name();
    machine
        .enter(None)
        .with_context(|| format!("cannot make this machine {name}"))?;
    Err(Command::new(std::env::current_exe()?)
        .args(args)
        .exec()
        .into())
}

fn best() -> anyhow::Result<()> {
    let (best, _) = sandbox::best_level(&std::env::current_exe()?);
    show::line(best);
    Ok(())
}

/// Not only whether `true` runs in a box of this level, but whether a submission could be built
/// and run there.
fn check(level: Option<String>) -> anyhow::Result<()> {
    let level: Level = level.unwrap_or_default().parse()?;
    let done = pipeline::try_out(&course::root()?, level, &std::env::current_exe()?);
    done.map_err(anyhow::Error::msg)
}

fn check_watch(level: Option<String>) -> anyhow::Result<()> {
    Ok(sandbox::check_watch(level.unwrap_or_default().parse()?)?)
}

fn trace(level: Option<String>) -> anyhow::Result<()> {
    let sandbox = Sandbox::open(&BoxSpec::default(), level.unwrap_or_default().parse()?)?;
    let mut program = sandbox::Command::new("/bin/sleep");
    program.args.push("60".into());
    let program = sandbox.spawn(program)?;
    Explorer::new(Plan::InOrder { first: 0 }).adopt(program.pid(), "sleep")?;
    Ok(())
}

fn trial(level: Option<String>, programs: Option<String>) -> anyhow::Result<()> {
    let (level, programs) = (level.unwrap_or_default(), programs.unwrap_or_default());
    pipeline::run_trial(&level, programs.as_ref()).map_err(anyhow::Error::msg)
}

fn finish(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            show::status(format_args!("{error:#}"));
            ExitCode::from(1)
        }
    }
}
