//! `compare`: the same stream over every mechanism, measured by programs of their own.
//!
//! Whose functions those programs measure is for the caller to say: students have their own, staff
//! also the solutions'.

mod program;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use compare::report::{Machine, Missing};
use compare::{Report, Row, page, plot, table};
use datapath::{Mechanism, Size, Workload};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{CompareArgs, PathOptions};
use crate::show::{self, GOOD, styled};
use crate::tree::Tree;
use program::Program;

/// A program that measures: the package that holds it, and its own name.
pub type Named = (&'static str, &'static str);

/// Measures the functions in `labs/`, which students write.
pub const LABS: Named = ("datapath-labs", "datapath-labs");

/// Compares with the student's functions.
pub(crate) fn run_here(args: &CompareArgs) -> Result<ExitCode> {
    let here = std::env::current_dir().context("the current folder")?;
    run(&Tree::around(&here)?.root, &args.options, LABS, None)
}

/// Builds the program `measured` of the workspace at `root`, measures, shows. What `floor` measures
/// is shown beside it.
///
/// # Errors
/// What kept it from measuring anything at all; mechanisms that could not be measured are named in
/// the table, and by the exit code.
pub fn run(
    root: &Path,
    options: &PathOptions,
    measured: Named,
    floor: Option<Named>,
) -> Result<ExitCode> {
    let build = |(package, name): Named| Program::build(root, package, name);
    let (measured, floor) = (build(measured)?, floor.map(build).transpose()?);
    // Before anything is measured, so that a folder that cannot be written is known at once.
    if let Some(dir) = &options.out {
        std::fs::create_dir_all(dir).with_context(|| format!("the folder {}", dir.display()))?;
    }
    let report = measure_all(options, &measured, floor.as_ref())?;
    show::line(table::text(&report).trim_end());
    if let Some(dir) = &options.out {
        write(dir, &report)?;
    }
    Ok(match (report.rows.is_empty(), report.missing.is_empty()) {
        (true, _) => ExitCode::from(1),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(3),
    })
}

fn measure_all(
    options: &PathOptions,
    measured: &Program,
    floor: Option<&Program>,
) -> Result<Report> {
    let machine = machine()?;
    let sizes = match options.sizes.is_empty() {
        true => Size::USUAL.to_vec(),
        false => options.sizes.clone(),
    };
    let chosen = |mechanism: &Mechanism| options.via.is_empty() || options.via.contains(mechanism);
    let mechanisms: Vec<Mechanism> = Mechanism::ALL.into_iter().filter(chosen).collect();

    let repeats = usize::from(options.repeat);
    let progress = ProgressBar::new((sizes.len() * mechanisms.len() * repeats) as u64);
    let style = "{pos:>4} of {len} measured, about {eta} to go: {msg}";
    progress.set_style(ProgressStyle::with_template(style).context("the line of progress")?);
    let mut report = Report {
        version: Report::VERSION,
        machine,
        repeats,
        rows: Vec::new(),
        floor: Vec::new(),
        missing: Vec::new(),
    };
    for &size in &sizes {
        let work = Workload::of(size, options.mib);
        for &mechanism in &mechanisms {
            let floor = floor.filter(|_| mechanism.uses_a_lab());
            let (mut samples, mut plain) = (Vec::new(), Vec::new());
            for _ in 0..repeats {
                progress.set_message(format!("{mechanism}, {size}"));
                // In turn, so that whatever else happens on the machine happens to both.
                let done = measured.measure(mechanism, &work).and_then(|sample| {
                    samples.push(sample);
                    if let Some(floor) = floor {
                        plain.push(floor.measure(mechanism, &work)?);
                    }
                    Ok(())
                });
                progress.inc(1);
                if let Err(error) = done {
                    let why = format!("{error:#}");
                    report.missing.push(Missing {
                        mechanism,
                        size,
                        why,
                    });
                    break;
                }
            }
            if let Some(mut row) = Row::of(&samples) {
                if mechanism.calls_futex() {
                    row = row.with_futex(measured.count_futex(mechanism, &work).as_ref());
                }
                let line = format!("{:>8}  {}", size.to_string(), table::line(&row));
                match progress.is_hidden() {
                    true => show::status(line),
                    false => progress.println(line),
                }
                report.rows.push(row);
            }
            report.floor.extend(Row::of(&plain));
        }
    }
    progress.finish_and_clear();
    Ok(report)
}

fn machine() -> Result<Machine> {
    let read = |path: &str| std::fs::read_to_string(path).with_context(|| path.to_owned());
    let load = read("/proc/loadavg")?;
    let load = load.split(' ').next().and_then(|word| word.parse().ok());
    Ok(Machine {
        kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        cores: std::thread::available_parallelism().map_or(1, Into::into),
        load: load.context("/proc/loadavg begins with a number")?,
    })
}

fn write(dir: &Path, report: &Report) -> Result<()> {
    let files = [
        ("compare.json", report.json()),
        ("compare.svg", plot::svg(report).into_bytes()),
        ("compare.html", page::html(report).into_bytes()),
    ];
    for (name, bytes) in files {
        let path = dir.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    }
    let page = dir.join("compare.html");
    show::line(format_args!("{} {}", styled(GOOD, "wrote"), page.display()));
    Ok(())
}
