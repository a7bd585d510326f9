//! Whole classes, graded by this program as a TA calls it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pipeline::{Cost, Mix, Subject, cost, make_class, on_one_core};

use super::Bench;
use super::table::{Goal, Table};

/// One call of `grade`.
struct Graded {
    cost: Cost,
    /// The most memory the grader itself had, in MiB; looked at again and again.
    peak: f64,
}

/// A class in a folder of its own, and its RUN.
struct Class<'a> {
    bench: &'a Bench<'a>,
    folder: tempfile::TempDir,
    labs: Vec<String>,
}

impl<'a> Class<'a> {
    fn make(bench: &'a Bench<'a>, mix: Mix) -> Result<Self> {
        let class = Self {
            bench,
            folder: tempfile::tempdir()?,
            labs: vec![bench.kit.lab.name.clone()],
        };
        make_class(bench.course, bench.kit, &class.submissions(), mix)?;
        Ok(class)
    }

    /// Many names, one submission of every lab: built and run once, but every record and report is
    /// there.
    fn of_copies(bench: &'a Bench<'a>, n_submissions: usize) -> Result<Self> {
        let course = bench.course;
        let class = Self {
            bench,
            folder: tempfile::tempdir()?,
            labs: course.labs.iter().map(|lab| lab.name.clone()).collect(),
        };
        for kit in course.kits(&course.labs)? {
            let reference = pipeline::sources(course, &kit, &Subject::Reference)?;
            for number in 0..n_submissions {
                let submission = class.submissions().join(format!("s{number:04}"));
                let src = submission.join(&kit.lab.name).join("src");
                fs::create_dir_all(&src)?;
                fs::write(src.join("lib.rs"), &reference["src/lib.rs"])?;
            }
        }
        Ok(class)
    }

    fn submissions(&self) -> PathBuf {
        self.folder.path().join("submissions")
    }

    fn grade(&self, run: &str, jobs: usize) -> Result<Graded> {
        let mut grader = Command::new(std::env::current_exe()?);
        grader.arg("grade").arg(self.submissions()).arg("--run");
        grader.arg(self.folder.path().join(run)).arg("--quiet");
        for lab in &self.labs {
            grader.args(["--lab", lab]);
        }
        grader.args(["--jobs", &jobs.to_string()]);
        match self.bench.tests.level {
            sandbox::Level::None => grader.arg("--i-trust-this-code"),
            level => grader.args(["--isolation", &level.to_string()]),
        };
        grader.stdin(Stdio::null()).stdout(Stdio::null());
        let (peak, cost) = cost(|| watch(&mut grader));
        Ok(Graded { cost, peak: peak? })
    }
}

/// Runs a command to its end, with an eye on its own memory.
fn watch(command: &mut Command) -> Result<f64> {
    let mut child = command.spawn().context("starting the grader")?;
    let mut peak = 0.0;
    let status = loop {
        peak = peak_of(child.id()).unwrap_or(peak);
        match child.try_wait()? {
            Some(status) => break status,
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    ensure!(status.success(), "`grade` ended with {status}");
    Ok(peak)
}

fn peak_of(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"));
    let status = status.ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// Classes of each size with 5 % hung and 5 % not compiling: what one submission costs, again
/// when nothing has changed, and what the grader itself takes.
pub(super) fn measure(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let mut costs: Vec<(usize, f64)> = Vec::new();
    for &size in &bench.args.sizes {
        let mix = Mix {
            n_submissions: size,
            n_hung: size / 20,
            n_broken: size / 20,
        };
        let class = Class::make(bench, mix)?;
        let first = class.grade("run", bench.jobs)?;
        let again = class.grade("run", bench.jobs)?;
        let each = (first.cost.cpu.saturating_sub(again.cost.cpu)).as_secs_f64() / size as f64;
        costs.push((size, each));
        let note = format!(
            "{size} submissions, {} hung, {} broken",
            mix.n_hung, mix.n_broken
        );
        let per_minute = size as f64 * 60.0 / first.cost.wall.as_secs_f64();
        table.add(
            "submissions a minute",
            per_minute,
            "/min",
            None,
            note.clone(),
        );
        table.add("CPU of one submission", each, "s", None, note.clone());
        let goal = Some(Goal::AtMost(100.0));
        table.add(
            "peak memory of the grader itself",
            first.peak,
            "MiB",
            goal,
            note,
        );
        let empty = Class::make(bench, Mix::good(1))?;
        empty.grade("run", bench.jobs)?;
        let empty = empty.grade("run", bench.jobs)?;
        let unchanged = again.cost.cpu.saturating_sub(empty.cost.cpu).as_secs_f64();
        table.add(
            "CPU of an unchanged resubmission",
            unchanged * 1000.0 / size.saturating_sub(1).max(1) as f64,
            "ms",
            Some(Goal::AtMost(10.0)),
            format!("{size} of them, beyond what a class of one takes"),
        );
    }
    if let [(small, first), .., (large, last)] = costs[..] {
        table.ratio(
            "CPU of one submission, largest / smallest class",
            last / first,
            None,
            format!("{large} and {small} submissions"),
        );
    }
    Ok(())
}

/// A class with 5 % hung beside one in which everybody is good.
pub(super) fn measure_hung(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let n_submissions = bench.args.hung_of;
    let n_hung = n_submissions.div_ceil(20);
    let good = Class::make(bench, Mix::good(n_submissions))?.grade("run", bench.jobs)?;
    let mix = Mix {
        n_hung,
        ..Mix::good(n_submissions)
    };
    let hung = Class::make(bench, mix)?.grade("run", bench.jobs)?;
    table.ratio(
        "a class with 5 % hung / a good class",
        hung.cost.wall.as_secs_f64() / good.cost.wall.as_secs_f64(),
        Some(Goal::AtMost(1.2)),
        format!("{n_hung} of {n_submissions} hang, wall; one pair"),
    );
    Ok(())
}

/// Two jobs on two cores beside one job on one: a job's tests share what cores there are, so a job
/// with both of them would not be half of the machine.
pub(super) fn measure_jobs(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let class = Class::make(bench, Mix::good(bench.args.hung_of))?;
    let one = on_one_core(|| class.grade("run-1", 1))??;
    let two = class.grade("run-2", 2)?;
    table.ratio(
        "efficiency of two jobs",
        one.cost.wall.as_secs_f64() / two.cost.wall.as_secs_f64() / 2.0,
        Some(Goal::AtLeast(0.88)),
        format!(
            "{} submissions, wall, beside one job on one core; one pair",
            bench.args.hung_of
        ),
    );
    Ok(())
}

/// What the grader itself takes when the class is large, first and when it goes on.
pub(super) fn measure_memory(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let class = Class::of_copies(bench, bench.args.copies)?;
    for call in ["first call", "second call"] {
        let graded = class.grade("run", bench.jobs)?;
        table.add(
            "peak memory of the grader itself",
            graded.peak,
            "MiB",
            Some(Goal::AtMost(100.0)),
            format!(
                "{} submissions with the same files, all labs, {call}",
                bench.args.copies
            ),
        );
    }
    Ok(())
}
