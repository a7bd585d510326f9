//! `report`: marks and files made again from the journal, without running anything.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use model::{Gradebook, Policy, Reveal};
use pipeline::Run;

use crate::cli::{Format, ReportArgs, RevealLevel, RulesArgs};
use crate::show;

/// Writes one format, or all the files that grading leaves in RUN.
pub(crate) fn run(args: &ReportArgs) -> Result<ExitCode> {
    let Some(folder) = &args.run else {
        show::bytes(pipeline::EXAMPLE_COURSE.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    };
    let run = Run::read(folder)?;
    let mut gradebook = run.gradebook(&rules(&run, &args.rules)?);
    let Some(format) = args.format else {
        run.write_reports(&gradebook)?;
        let folder = folder.display();
        show::line(format_args!("reports made; read {folder}/report.html"));
        return Ok(ExitCode::SUCCESS);
    };
    if !args.submissions.is_empty() {
        for id in &args.submissions {
            run.check_submission(id)?;
        }
        let is_wanted = |id: &String| args.submissions.contains(id);
        gradebook
            .submissions
            .retain(|submission| is_wanted(&submission.id));
    }
    let bytes = match format {
        Format::Html => run.page(&gradebook),
        Format::Csv => report::grades_csv(&gradebook),
        Format::Json => report::results_json(&gradebook),
        Format::Junit => report::junit(&gradebook),
        Format::Markdown => report::markdown(&gradebook),
        Format::Gradescope => return gradescope(&gradebook, args.output.as_deref()),
    };
    match &args.output {
        Some(path) => pipeline::replace(path, &bytes)?,
        None => show::bytes(&bytes)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The course's rules, with what the command line says above them.
pub(crate) fn rules(run: &Run, args: &RulesArgs) -> Result<Policy> {
    let mut policy = run.policy(args.course.as_deref())?;
    if let Some(level) = args.reveal {
        policy.reveal = match level {
            RevealLevel::None => Reveal::None,
            RevealLevel::Category => Reveal::Category,
            RevealLevel::Counterexample => Reveal::Counterexample,
        };
        for lab in policy.labs.values_mut() {
            lab.reveal = None;
            lab.tests.values_mut().for_each(|test| test.reveal = None);
        }
    }
    Ok(policy)
}

/// One file a submission; a single submission may also go to standard output.
fn gradescope(gradebook: &Gradebook, folder: Option<&Path>) -> Result<ExitCode> {
    let bytes = |submission| report::gradescope(submission, &gradebook.isolation);
    match (folder, gradebook.submissions.as_slice()) {
        (Some(folder), submissions) => {
            for submission in submissions {
                let path = folder.join(format!("{}.json", submission.id));
                pipeline::replace(&path, &bytes(submission))?;
            }
        }
        (None, [submission]) => show::bytes(&bytes(submission))?,
        (None, _) => bail!(
            "gradescope takes one file for each submission: add --output FOLDER, or \
             --submission WHO"
        ),
    }
    Ok(ExitCode::SUCCESS)
}
