//! `diff`: whose marks differ between two runs, in which test, and why.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use model::printable;
use pipeline::{LabChange, Marks, Reason, Run, RunError};

use crate::cli::DiffArgs;
use crate::show::{self, STRONG, styled};

/// Prints every difference; the exit code says whether there was one.
pub(crate) fn run(args: &DiffArgs) -> Result<ExitCode> {
    let runs = marks(&args.run_a).and_then(|a| Ok((a, marks(&args.run_b)?)));
    let (a, b) = match runs {
        Ok(runs) => runs,
        // As diff(1) has it: 1 is an answer, so trouble is 2.
        Err(error) => {
            show::error(&error.into());
            return Ok(ExitCode::from(2));
        }
    };
    let (mut n_changes, mut n_flakes) = (0, 0);
    for change in pipeline::compare(&a, &b) {
        let is_flake = change.reasons == [Reason::Flake];
        if is_flake || !args.only_flakes {
            tell(&change);
            n_changes += 1;
            n_flakes += usize::from(is_flake);
        }
    }
    if n_changes == 0 {
        show::line("nothing differs");
        return Ok(ExitCode::SUCCESS);
    }
    show::line(format_args!(
        "{n_changes} marks or verdicts differ, {n_flakes} by a flake"
    ));
    Ok(ExitCode::from(1))
}

/// A run's marks by its own rules.
fn marks(folder: &Path) -> Result<Marks, RunError> {
    let run = Run::read(folder)?;
    let policy = run.policy(None)?;
    Ok(run.marks(policy))
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
