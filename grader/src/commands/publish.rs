//! `publish`: what students get.

use std::process::ExitCode;

use anyhow::Result;
use authoring::{generate, publish};

use crate::cli::PublishArgs;
use crate::course;
use crate::show::{self, BAD, GOOD, styled};

/// Checks or writes labs/, or writes the students' tree.
pub(crate) fn run(args: &PublishArgs) -> Result<ExitCode> {
    let root = course::root()?;
    if args.check {
        let differences = generate::check(&root)?;
        for difference in &differences {
            show::line(format_args!("{} {difference}", styled(BAD, "stale")));
        }
        if differences.is_empty() {
            show::line(styled(GOOD, "labs/ is what solutions/ generates"));
            return Ok(ExitCode::SUCCESS);
        }
        show::status("run `cargo lab publish` and commit what it changes");
        return Ok(ExitCode::from(1));
    }
    let Some(dir) = &args.dir else {
        for difference in &generate::write_labs(&root)? {
            show::line(format_args!("wrote {}", difference.path()));
        }
        show::line(styled(GOOD, "labs/ is up to date"));
        return Ok(ExitCode::SUCCESS);
    };
    let published = publish::publish(&root, dir, &args.solutions)?;
    for path in &published.removed {
        show::line(format_args!("removed {path}"));
    }
    show::line(format_args!(
        "{} {} files in {}; try there: cargo test -p pipes",
        styled(GOOD, "published"),
        published.files.len(),
        dir.display()
    ));
    Ok(ExitCode::SUCCESS)
}
