//! `grade`: the main job of a TA.

mod progress;
mod summary;
mod tally;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use pipeline::{GradeOptions, TestOptions};

use crate::cli::{Build, GradeArgs, RunningArgs};
use crate::interrupt::Interrupt;
use crate::show::{self, BAD, STRONG, styled};
use crate::{course, isolation};
use progress::Progress;

/// Grades a folder of submissions and prints a summary.
pub(crate) fn run(args: &GradeArgs) -> Result<ExitCode> {
    let is_cargo = args.running.build == Build::Cargo;
    ensure!(
        !is_cargo || args.running.i_trust_this_code,
        "cargo would compile submissions outside the box, and compiling code is already running \
         it: add --i-trust-this-code if you wrote it yourself"
    );
    let course = course::find()?;
    let interrupt = Interrupt::watch(&course.stop)?;
    let options = GradeOptions {
        labs: args.labs.clone(),
        tests: test_options(&args.running)?,
        helper: std::env::current_exe()?,
    };
    let progress = Progress::new(args);
    let graded = pipeline::grade(&course, &args.submissions, &args.run, &options, &|event| {
        progress.show(&event);
    });
    let (n_done, n_seats) = progress.finish();
    if let (Err(_), Some(code)) = (&graded, interrupt.exit_code()) {
        let run = args.run.display();
        show::status(format_args!(
            "{}: {n_done} of {n_seats} labs are done and kept in {run}; the same command goes on \
             from there",
            styled(STRONG, "stopped")
        ));
        return Ok(code);
    }
    let graded = graded?;
    if !args.quiet {
        summary::print(graded.marks.bare());
        let run = args.run.display();
        let level = options.tests.level;
        show::line(format_args!("isolation {level}; report: {run}/report.html"));
    }
    if graded.n_faults == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    show::status(format_args!(
        "{}: {} verdicts are missing because the grader failed there; run the same command again",
        styled(BAD, "not final"),
        graded.n_faults
    ));
    Ok(ExitCode::from(3))
}

/// How hidden tests are run, from the common arguments.
pub(crate) fn test_options(args: &RunningArgs) -> Result<TestOptions> {
    Ok(TestOptions {
        build: args.build.into(),
        only: args.tests.clone(),
        seed: args.seed,
        ..TestOptions::new(isolation::choose(args)?, jobs(args))
    })
}

/// Cores to be filled with compilers and tests.
pub(crate) fn jobs(args: &RunningArgs) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, Into::into);
    args.jobs.unwrap_or_else(cores)
}
