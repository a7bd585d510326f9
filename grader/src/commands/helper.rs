//! Hidden commands: this program as the process that opens a box. Not for people.

use std::process::ExitCode;

use crate::show;

/// Runs the hidden command, if one was asked for.
pub(crate) fn run_if_asked() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    match args.next()?.as_str() {
        "__build" => Some(finish(pipeline::build_in_box().map_err(Into::into))),
        pipeline::BYSTANDER_COMMAND => Some(finish(pipeline::stand_by().map_err(Into::into))),
        sandbox::CHECK_COMMAND => Some(finish(check(args.next(), sandbox::check))),
        sandbox::CHECK_WATCH_COMMAND => Some(finish(check(args.next(), sandbox::check_watch))),
        _ => None,
    }
}

fn check(
    level: Option<String>,
    trial: fn(sandbox::Level) -> Result<(), sandbox::OpenError>,
) -> anyhow::Result<()> {
    let level = level
        .unwrap_or_default()
        .parse()
        .map_err(|_| anyhow::anyhow!("no such level"))?;
    trial(level).map_err(Into::into)
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
