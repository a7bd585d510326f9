//! `diff`: whose marks differ between two runs, in which test, and why.

use std::process::ExitCode;

use anyhow::Result;
use model::printable;
use pipeline::{LabChange, Reason, Run, RunError};

use crate::cli::DiffArgs;
use crate::show::{self, STRONG, styled};

/// Prints every difference; the exit code says whether there was one.
pub(crate) fn run(args: &DiffArgs) -> Result<ExitCode> {
    match differences(args) {
        Ok(changes) if changes.is_empty() => {
            show::line("nothing differs");
            Ok(ExitCode::SUCCESS)
        }
        Ok(changes) => {
            changes.iter().for_each(tell);
            show::line(total(&changes));
            Ok(ExitCode::from(1))
        }
        // As diff(1) has it: 1 is an answer, so trouble is 2.
        Err(error) => {
            show::error(&error.into());
            Ok(ExitCode::from(2))
        }
    }
}

fn differences(args: &DiffArgs) -> Result<Vec<LabChange>, RunError> {
    let (a, b) = (Run::read(&args.run_a)?, Run::read(&args.run_b)?);
    let mut changes = pipeline::compare(&a, &b)?;
    changes.retain(|change| !args.only_flakes || change.reasons == [Reason::Flake]);
    Ok(changes)
}

fn tell(change: &LabChange) {
    let whose = styled(
        STRONG,
        format!("{} {}", printable(&change.submission), change.lab),
    );
    show::line(format_args!(
        "{whose}: {} → {}",
        change.before, change.after
    ));
    let reasons: Vec<&str> = change.reasons.iter().map(|reason| reason.words()).collect();
    show::line(format_args!("  why: {}", reasons.join("; ")));
    for test in &change.tests {
        show::line(format_args!(
            "  {}: {} → {}",
            test.id, test.before, test.after
        ));
    }
}

fn total(changes: &[LabChange]) -> String {
    let flakes = changes
        .iter()
        .filter(|change| change.reasons == [Reason::Flake]);
    format!(
        "{} marks or verdicts differ, {} by a flake",
        changes.len(),
        flakes.count()
    )
}
