//! A program that measures one data path: built with cargo, started once for each measurement.
//!
//! It is built optimised, whatever this one is: with debug code the figures would be ours and not
//! the kernel's.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use datapath::{Mechanism, Sample, Workload};

/// How a measurement ends that does not get on: see signal(7).
const SIGALRM: i32 = 14;

/// A program that is ready to be started.
#[derive(Debug)]
pub(super) struct Program(PathBuf);

impl Program {
    /// Builds the program `name` of the package `package` in the workspace at `root`, and finds it.
    pub(super) fn build(root: &Path, package: &str, name: &str) -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut cargo = Command::new(cargo)
            .args(["build", "--release", "--locked", "--package", package])
            .args(["--bin", name, "--message-format=json-render-diagnostics"])
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting cargo")?;
        let messages = cargo.stdout.take().context("cargo's messages")?;
        let mut program = None;
        for line in BufReader::new(messages).lines() {
            let message: serde_json::Value = serde_json::from_str(&line?).unwrap_or_default();
            if message["target"]["name"] == name
                && let Some(path) = message["executable"].as_str()
            {
                program = Some(Self(path.into()));
            }
        }
        ensure!(cargo.wait()?.success(), "cargo could not build {name}");
        program.with_context(|| format!("cargo built {name} and did not say where"))
    }

    /// One measurement, by two fresh processes.
    pub(super) fn measure(&self, mechanism: Mechanism, work: &Workload) -> Result<Sample> {
        self.run(mechanism, work, &[])
    }

    /// The same for its calls of futex(2) alone: it takes longer. `None` where the kernel does not
    /// let a process count them.
    pub(super) fn count_futex(&self, mechanism: Mechanism, work: &Workload) -> Option<Sample> {
        let brief = Workload { rounds: 1, ..*work };
        self.run(mechanism, &brief, &["--count-futex"]).ok()
    }

    fn run(&self, mechanism: Mechanism, work: &Workload, flags: &[&str]) -> Result<Sample> {
        let numbers = [
            work.size.bytes().to_string(),
            work.messages.to_string(),
            work.rounds.to_string(),
        ];
        let mut child = Command::new(&self.0)
            .arg(mechanism.id())
            .args(numbers)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", self.0.display()))?;
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
            return serde_json::from_str(&said).context("what the measuring program printed");
        }
        // Of a panic, what was said is enough: where and how to trace it is for cargo test.
        let is_said = |line: &&str| {
            !(line.is_empty() || line.starts_with("note: ") || line.starts_with("thread '"))
        };
        let complaint: Vec<&str> = complaint.lines().filter(is_said).collect();
        let complaint = complaint.join("; ");
        match status.signal() {
            Some(SIGALRM) => bail!("nothing arrived any more, so it was given up"),
            _ if complaint.is_empty() => bail!("the measuring program ended with {status}"),
            _ => bail!("{complaint}"),
        }
    }
}
