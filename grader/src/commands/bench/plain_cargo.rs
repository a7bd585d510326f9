//! Beside what graders do that call cargo: the students' own tree and `cargo test` in it, with a
//! target folder for each submission, and with one for all.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use pipeline::{SourceTree, cost};

use super::Bench;
use super::table::{Goal, Table, median};

pub(super) fn measure(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let tree = folder.path().join("tree");
    authoring::publish::publish(&bench.course.root, &tree, &[])?;
    let workbench = bench.workbench()?;
    let (mut fresh_cpu, mut shared_cpu) = (Vec::new(), Vec::new());
    let shared = folder.path().join("shared");
    test(bench, &tree, &shared, &bench.variant(1000))?; // builds the dependencies
    for pair in 0..bench.args.pairs.min(MOST_PAIRS) {
        let sources = bench.variant(pair);
        let (done, ours) = cost(|| workbench.grade(&sources));
        done?;
        let (done, in_shared) = cost(|| test(bench, &tree, &shared, &sources));
        done?;
        let own = folder.path().join("own");
        let (done, in_own) = cost(|| test(bench, &tree, &own, &sources));
        done?;
        std::fs::remove_dir_all(&own)?;
        fresh_cpu.push(ours.cpu.as_secs_f64() / in_own.cpu.as_secs_f64());
        shared_cpu.push(ours.cpu.as_secs_f64() / in_shared.cpu.as_secs_f64());
    }
    let note = format!(
        "of {} pairs, CPU; ours runs {} hidden tests, cargo the public ones",
        fresh_cpu.len(),
        bench.kit.rubric.rows.len()
    );
    let goal = Some(Goal::AtMost(1.0 / 40.0));
    table.ratio(
        "whole grade / naive `cargo test`",
        median(fresh_cpu),
        goal,
        note.clone(),
    );
    table.ratio(
        "whole grade / `cargo test`, shared target",
        median(shared_cpu),
        None,
        note,
    );
    Ok(())
}

/// A naive `cargo test` takes half a minute.
const MOST_PAIRS: usize = 3;

/// `cargo test` of a submission in the students' tree.
fn test(bench: &Bench<'_>, tree: &Path, target: &Path, sources: &SourceTree) -> Result<()> {
    let lab = &bench.kit.lab.name;
    for (path, bytes) in sources {
        let path = tree.join("labs").join(lab).join(path);
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["test", "--offline", "--quiet", "--package", lab])
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cargo")?;
    ensure!(
        status.success(),
        "`cargo test -p {lab}` of the reference: {status}"
    );
    Ok(())
}
