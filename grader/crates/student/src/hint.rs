//! `hint`: one level more at every call, noted in `.lab/hints.jsonl`.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use coach::record::Taught;
use serde::{Deserialize, Serialize};

use crate::build::{self, BuildError, Words};
use crate::cli::HintArgs;
use crate::runner;
use crate::show::{self, STRONG, styled};
use crate::tree::{Lab, Tree};
use crate::{lessons, memory};

const FILE: &str = "hints.jsonl";

/// What the three levels are, for headings.
const LEVELS: [&str; 3] = ["a question", "where to read", "the shape"];

/// One hint that was taken.
#[derive(Debug, Serialize, Deserialize)]
struct Taken {
    lab: String,
    test: String,
    /// From 1.
    level: usize,
    /// Seconds since 1970.
    at: u64,
}

/// Tells the next hint, after those that were told before.
pub(crate) fn run(args: &HintArgs) -> Result<ExitCode> {
    let here = std::env::current_dir().context("the current folder")?;
    let tree = Tree::around(&here)?;
    let lab = match tree.named(&args.lab) {
        Ok(lab) => lab,
        Err(error) => {
            show::status(error);
            return Ok(ExitCode::from(2));
        }
    };
    let Some(lessons) = lessons_of(&tree, lab)? else {
        return Ok(ExitCode::from(3));
    };
    let Some(taught) = lessons.iter().find(|taught| taught.test == args.test) else {
        show::status(format_args!(
            "{} has no public test `{}`; there are:",
            args.lab, args.test
        ));
        for taught in &lessons {
            show::status(format_args!("  {}", taught.test));
        }
        return Ok(ExitCode::from(2));
    };
    let told = take(&tree, &lab.name, &taught.test)?;
    show::line(styled(STRONG, format_args!("{} {}", lab.name, taught.test)));
    for line in lines(taught, told) {
        show::line(line);
    }
    Ok(ExitCode::SUCCESS)
}

/// The hints up to level `told`, and what comes next.
pub(crate) fn lines(taught: &Taught, told: usize) -> Vec<String> {
    let levels = LEVELS.iter().zip(&taught.hints).take(told);
    let mut lines: Vec<String> = levels
        .map(|(level, hint)| format!("{level:>13}: {hint}"))
        .collect();
    lines.push(match LEVELS.get(told) {
        Some(next) => format!("{:>13}  ask again for {next}", ""),
        None => format!("{:>13}  these were all three", ""),
    });
    lines
}

/// How many hints on a test were told so far.
pub(crate) fn taken(tree: &Tree, lab: &str, test: &str) -> usize {
    let text = memory::read(tree, FILE).unwrap_or_default();
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines
        .filter(|taken: &Taken| taken.lab == lab && taken.test == test)
        .map(|taken| taken.level)
        .max()
        .unwrap_or(0)
}

/// Notes one more hint and gives its level; the last one may be asked for for ever.
pub(crate) fn take(tree: &Tree, lab: &str, test: &str) -> Result<usize> {
    let before = taken(tree, lab, test);
    let level = (before + 1).min(LEVELS.len());
    if level > before {
        let at = SystemTime::now().duration_since(UNIX_EPOCH);
        let taken = Taken {
            lab: lab.to_owned(),
            test: test.to_owned(),
            level,
            at: at.map_or(0, |time| time.as_secs()),
        };
        let line = serde_json::to_string(&taken).expect("a hint taken is plain data");
        memory::add_line(tree, FILE, &line)
            .with_context(|| format!("write .lab/{FILE} in {}", tree.root.display()))?;
    }
    Ok(level)
}

/// What the tests teach now, or taught when the lab compiled last.
fn lessons_of(tree: &Tree, lab: &Lab) -> Result<Option<Vec<Taught>>> {
    match build::build(&tree.root, lab, Words::Kept) {
        Ok(built) => {
            let (lessons, _) = runner::lessons(&built, runner::best_walls()?)?;
            lessons::keep(tree, &lab.name, &lessons);
            Ok(Some(lessons))
        }
        Err(BuildError::Refused { text, .. }) => {
            let kept = lessons::kept(tree, &lab.name);
            if kept.is_none() {
                show::status(text.trim_end());
                show::status(format_args!("{} does not compile yet", lab.name));
            }
            Ok(kept)
        }
        Err(error) => bail!(error),
    }
}
