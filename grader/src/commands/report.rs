//! `report`: marks and files made again from the journal, without running anything.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use model::{Policy, Reveal};
use pipeline::{Marks, NewFile, Run};
use report::Document;

use crate::cli::{Format, ReportArgs, RevealLevel, RulesArgs};
use crate::show;

/// Writes one format, or all the files that grading leaves in RUN.
pub(crate) fn run(args: &ReportArgs) -> Result<ExitCode> {
    let Some(folder) = &args.run else {
        show::bytes(pipeline::EXAMPLE_COURSE.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    };
    let run = Run::read(folder)?;
    for id in &args.submissions {
        run.check_submission(id)?;
    }
    let policy = rules(&run, &args.rules)?;
    let mut marks = run.marks(policy);
    let Some(format) = args.format else {
        marks.write_reports()?;
        let folder = folder.display();
        show::line(format_args!("reports made; read {folder}/report.html"));
        return Ok(ExitCode::SUCCESS);
    };
    if !args.submissions.is_empty() {
        marks.retain(&args.submissions);
    }
    match (format, &args.output) {
        (Format::Gradescope, folder) => gradescope(&marks, folder.as_deref())?,
        (_, Some(path)) => {
            let mut file = NewFile::create(path)?;
            write(&marks, format, path, &mut file)?;
            file.finish()?;
        }
        (_, None) => {
            let mut output = show::output();
            write(&marks, format, Path::new("standard output"), &mut output)?;
            output.flush()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One document about the whole class.
fn write(marks: &Marks, format: Format, path: &Path, out: impl Write) -> Result<()> {
    let class = marks.class();
    let document: Box<dyn Document> = match format {
        Format::Html => Box::new(marks.page(out)),
        Format::Csv => Box::new(report::grades_csv(out, &class)),
        Format::Json => Box::new(report::results_json(out, &class)),
        Format::Junit => Box::new(report::junit(out, &mut marks.bare())),
        Format::Markdown => Box::new(report::markdown(out, &class)),
        Format::Gradescope => bail!("gradescope is no document about a whole class"),
    };
    Ok(marks.write([(path, document)], |_| Ok(()))?)
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
fn gradescope(marks: &Marks, folder: Option<&Path>) -> Result<()> {
    let class = marks.class();
    if folder.is_none() && class.n_submissions != 1 {
        bail!(
            "gradescope takes one file for each submission: add --output FOLDER, or \
             --submission WHO"
        );
    }
    for entry in marks.told() {
        let submission = entry?.grade;
        let bytes = report::gradescope(&submission, &class.isolation);
        match folder {
            Some(folder) => {
                let path = folder.join(format!("{}.json", submission.id));
                pipeline::replace(&path, &bytes)?;
            }
            None => show::bytes(&bytes)?,
        }
    }
    Ok(())
}
