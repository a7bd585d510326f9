//! The other way to build a seat: plain cargo, as students call it, with a target folder of the
//! seat's own. Slow, and outside the box: it is there to show that calling rustc directly gives
//! the same verdicts, on code that is trusted anyway.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use toml::{Table, Value};

use crate::Kit;
use crate::seat::Seat;

/// Builds the lab's program and its probe; the compiler's words if they do not compile.
pub(crate) fn build(kit: &Kit, seat: &Seat) -> io::Result<Result<(), String>> {
    let workspace = seat.output().join("workspace");
    lay_out(kit, seat, &workspace)?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--offline", "--quiet", "--color=never"])
        .current_dir(&workspace)
        .env("CARGO_TARGET_DIR", workspace.join("target"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut running = kit.stop.start_group(&mut cargo)?;
    let mut words = String::new();
    let stderr = running.child.stderr.take();
    stderr
        .expect("stderr is piped")
        .read_to_string(&mut words)?;
    if !running.wait()?.success() {
        return Ok(Err(words));
    }
    let built = workspace.join("target/debug");
    let name = &kit.lab.name;
    fs::rename(built.join(name), seat.output().join(name))?;
    fs::rename(
        built.join(format!("{name}-probe")),
        seat.output().join("probe"),
    )?;
    Ok(Ok(()))
}

/// A workspace of two packages, with the course's dependencies and versions.
fn lay_out(kit: &Kit, seat: &Seat, workspace: &Path) -> io::Result<()> {
    let name = &kit.lab.name;
    for folder in ["lab", "probe/src"] {
        fs::create_dir_all(workspace.join(folder))?;
    }
    let mut root = manifest(&kit.root.join("Cargo.toml"))?;
    let table = table(&mut root, "workspace")?;
    table.remove("default-members");
    let members = ["lab", "probe"].map(|member| Value::String(member.to_owned()));
    table.insert("members".to_owned(), Value::Array(members.to_vec()));
    for (_, dependency) in self::table(table, "dependencies")?.iter_mut() {
        // Paths are relative to the course.
        if let Some(Value::String(path)) = dependency.get_mut("path") {
            *path = kit.root.join(&*path).to_string_lossy().into_owned();
        }
    }
    fs::write(workspace.join("Cargo.toml"), root.to_string())?;
    fs::copy(kit.root.join("Cargo.lock"), workspace.join("Cargo.lock"))?;

    let mut lab = manifest(&kit.root.join("labs").join(name).join("Cargo.toml"))?;
    lab.remove("dev-dependencies");
    fs::write(workspace.join("lab/Cargo.toml"), lab.to_string())?;
    std::os::unix::fs::symlink(seat.source().join("src"), workspace.join("lab/src"))?;

    let probe = kit.root.join("grader/labs").join(name).join("probe");
    let mut probe = manifest(&probe.join("Cargo.toml"))?;
    let submission = Table::from_iter([("path".to_owned(), Value::String("../lab".to_owned()))]);
    self::table(&mut probe, "dependencies")?.insert(name.clone(), Value::Table(submission));
    fs::write(workspace.join("probe/Cargo.toml"), probe.to_string())?;
    fs::write(workspace.join("probe/src/main.rs"), &kit.probe)
}

fn manifest(path: &Path) -> io::Result<Table> {
    let text = fs::read_to_string(path)?;
    let wrong = |error| io::Error::other(format!("{}: {error}", path.display()));
    text.parse().map_err(wrong)
}

fn table<'a>(of: &'a mut Table, key: &str) -> io::Result<&'a mut Table> {
    of.get_mut(key)
        .and_then(Value::as_table_mut)
        .ok_or_else(|| io::Error::other(format!("a manifest has no [{key}]")))
}
