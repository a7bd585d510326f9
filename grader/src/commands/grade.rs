//! `grade`: the main job of a TA.

mod progress;

use std::process::ExitCode;

use anyhow::Result;
use model::{LabStatus, SubmissionGrade};
use pipeline::{GradeOptions, TestOptions};

use crate::cli::{GradeArgs, RunningArgs};
use crate::show::{self, BAD, GOOD, STRONG, styled};
use crate::{course, isolation};
use progress::Progress;

/// Grades a folder of submissions and prints a summary.
pub(crate) fn run(args: &GradeArgs) -> Result<ExitCode> {
    let course = course::find()?;
    let options = GradeOptions {
        labs: args.labs.clone(),
        jobs: jobs(&args.running),
        tests: test_options(&args.running)?,
        helper: std::env::current_exe()?,
    };
    let progress = Progress::new(args.quiet);
    let graded = pipeline::grade(&course, &args.submissions, &args.run, &options, &|event| {
        progress.show(&event);
    });
    progress.finish();
    let graded = graded?;
    if !args.quiet {
        for submission in &graded.gradebook.submissions {
            show::line(summary(submission));
        }
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

/// One submission in a line.
fn summary(submission: &SubmissionGrade) -> String {
    let labs = submission.labs.iter().map(|lab| match lab.status {
        LabStatus::Graded if lab.score == lab.max_score => {
            format!("{} {}", lab.lab, styled(GOOD, lab.score))
        }
        LabStatus::Graded => format!("{} {}/{}", lab.lab, lab.score, lab.max_score),
        status => format!("{} {}", lab.lab, styled(BAD, status.name())),
    });
    let total = format!("{:>4}/{}", submission.score(), submission.max_score());
    let labs: Vec<String> = labs.collect();
    format!(
        "{} {:<28} {}",
        styled(STRONG, total),
        submission.id,
        labs.join("  ")
    )
}

/// How hidden tests are run, from the common arguments.
pub(crate) fn test_options(args: &RunningArgs) -> Result<TestOptions> {
    Ok(TestOptions {
        level: isolation::choose(args)?,
        only: args.tests.clone(),
        seed: args.seed,
        parallel: TESTS_AT_A_TIME,
    })
}

/// Tests of one seat mostly wait, so several of them share a core.
pub(crate) const TESTS_AT_A_TIME: usize = 4;

/// Seats graded at a time.
pub(crate) fn jobs(args: &RunningArgs) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, Into::into);
    args.jobs.unwrap_or_else(cores)
}
