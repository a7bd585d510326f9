//! `compare`: the same stream over every mechanism, measured by the program `datapath`.
//!
//! That program is built optimised, whatever this one is: with debug code the figures would be
//! ours and not the kernel's.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use compare::report::{Machine, Missing};
use compare::{Mechanism, Report, Row, Sample, Size, Workload, page, plot, table};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::CompareArgs;
use crate::course;
use crate::show::{self, GOOD, styled};

/// How a measurement ends that does not get on: see signal(7).
const SIGALRM: i32 = 14;

/// Builds, measures, shows.
pub(crate) fn run(args: &CompareArgs) -> Result<ExitCode> {
    let program = build(&course::root()?, args.student)?;
    // Before anything is measured, so that a folder that cannot be written is known at once.
    if let Some(dir) = &args.out {
        std::fs::create_dir_all(dir).with_context(|| format!("the folder {}", dir.display()))?;
    }
    let report = measure_all(args, &program)?;
    show::line(table::text(&report).trim_end());
    if let Some(dir) = &args.out {
        write(dir, &report)?;
    }
    Ok(match (report.rows.is_empty(), report.missing.is_empty()) {
        (true, _) => ExitCode::from(1),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(3),
    })
}

/// Builds `datapath` with the solutions or with the labs, and finds it. Each has a target folder of
/// its own, or of two comparisons at a time one would run what the other has built.
fn build(root: &Path, student: bool) -> Result<PathBuf> {
    let labs = if student { "student" } else { "reference" };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(cargo)
        .args(["build", "--release", "--locked", "-p", "datapath"])
        .args(["--no-default-features", "--features", labs])
        .args(["--target-dir", &format!("target/compare-{labs}")])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo")?;
    let messages = cargo.stdout.take().context("cargo's messages")?;
    let mut program = None;
    for line in BufReader::new(messages).lines() {
        let message: serde_json::Value = serde_json::from_str(&line?).unwrap_or_default();
        if message["target"]["name"] == "datapath"
            && let Some(path) = message["executable"].as_str()
        {
            program = Some(PathBuf::from(path));
        }
    }
    ensure!(cargo.wait()?.success(), "cargo could not build datapath");
    program.context("cargo built datapath and did not say where")
}

fn measure_all(args: &CompareArgs, program: &Path) -> Result<Report> {
    let machine = machine()?;
    let sizes = match args.sizes.is_empty() {
        true => Size::USUAL.to_vec(),
        false => args.sizes.clone(),
    };
    let chosen = |mechanism: &Mechanism| args.via.is_empty() || args.via.contains(mechanism);
    let mechanisms: Vec<Mechanism> = Mechanism::ALL.into_iter().filter(chosen).collect();

    let repeats = usize::from(args.repeat);
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
        let work = Workload::of(size, args.mib);
        for &mechanism in &mechanisms {
            let with_floor = args.floor && mechanism.uses_a_lab();
            let (mut samples, mut plain) = (Vec::new(), Vec::new());
            for _ in 0..repeats {
                progress.set_message(format!("{mechanism}, {size}"));
                // In turn, so that whatever else happens on the machine happens to both.
                let measured = measure(program, mechanism, &work, &[]).and_then(|sample| {
                    samples.push(sample);
                    if with_floor {
                        plain.push(measure(program, mechanism, &work, &["--plain"])?);
                    }
                    Ok(())
                });
                progress.inc(1);
                if let Err(error) = measured {
                    let why = format!("{error:#}");
                    report.missing.push(Missing {
                        mechanism,
                        size,
                        why,
                    });
                    break;
                }
            }
            if let Some(row) = Row::of(&samples) {
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

/// One measurement, by two fresh processes.
fn measure(
    program: &Path,
    mechanism: Mechanism,
    work: &Workload,
    flags: &[&str],
) -> Result<Sample> {
    let numbers = [
        work.size.bytes().to_string(),
        work.messages.to_string(),
        work.rounds.to_string(),
    ];
    let mut child = Command::new(program)
        .arg(mechanism.id())
        .args(numbers)
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    let (mut said, mut complaint) = (String::new(), String::new());
    // Both are short: one line each, so neither pipe can fill up while we read the other.
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut said)?;
    }
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut complaint)?;
    }
    let status = child.wait()?;
    if status.success() {
        return serde_json::from_str(&said).context("what datapath printed");
    }
    // Of a panic, what was said is enough: where and how to trace it is for cargo test.
    let is_said = |line: &&str| {
        !(line.is_empty() || line.starts_with("note: ") || line.starts_with("thread '"))
    };
    let complaint: Vec<&str> = complaint.lines().filter(is_said).collect();
    let complaint = complaint.join("; ");
    match status.signal() {
        Some(SIGALRM) => bail!("nothing arrived any more, so it was given up"),
        _ if complaint.is_empty() => bail!("datapath ended with {status}"),
        _ => bail!("{complaint}"),
    }
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
