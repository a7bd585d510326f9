//! `publish`: what students get.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
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
    finish_lock_file(dir)?;
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

/// Lets cargo say which of the locked packages the students' workspace still needs. Everything
/// is locked already, so nothing is downloaded.
fn finish_lock_file(dir: &Path) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["update", "--workspace", "--offline", "--quiet"])
        .current_dir(dir)
        .output()
        .context("starting cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success(),
        "cargo cannot finish the lock file: {said}"
    );
    Ok(())
}
