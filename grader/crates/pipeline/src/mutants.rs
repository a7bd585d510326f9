//! Mutants: small changes of a reference that cargo-mutants proposes, each of which some hidden
//! test has to notice. Those that change nothing a program could see are listed, with the reason,
//! in `grader/labs/<lab>/equivalent.toml`.
//!
//! Only the list of changes comes from cargo-mutants. They are built and judged on the path of
//! every submission, so this module knows neither builds nor tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use authoring::lab::{Lab, Sources};
use serde::Deserialize;

/// A small change of a reference.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// What is changed and where: `src/lib.rs:53:5: replace == with != in make_pipe`.
    pub name: String,
    /// The line that it begins in, without white space around it.
    pub line: String,
    /// Why no program can tell it from the reference, if that is so.
    pub equivalent: Option<String>,
    file: String,
    span: Span,
    replacement: String,
}

/// Why the mutants of a lab cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MutantError {
    /// The tool is missing.
    #[error(
        "cannot start cargo-mutants: {0}; install it with `cargo install cargo-mutants --locked`"
    )]
    NoTool(std::io::Error),
    /// The tool ended with an error.
    #[error("cargo mutants failed: {0}")]
    Tool(String),
    /// The tool said something else than a list of mutants.
    #[error("cannot understand what cargo mutants said: {0}")]
    Json(#[from] serde_json::Error),
    /// The list of equivalent mutants cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The list.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The list of equivalent mutants is not what it should be.
    #[error("{path}: {source}")]
    Toml {
        /// The list.
        path: PathBuf,
        /// Place and cause.
        source: Box<toml::de::Error>,
    },
    /// The solution has changed under the list.
    #[error("{path}: no mutant is called {change:?} on the line `{line}`; remove the entry")]
    Stale {
        /// The list.
        path: PathBuf,
        /// The change it names.
        change: String,
        /// The line it names.
        line: String,
    },
}

/// One mutant as cargo-mutants lists it.
#[derive(Deserialize)]
struct Listed {
    name: String,
    file: String,
    span: Span,
    replacement: String,
}

/// From the first character to the one after the last.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Span {
    start: Place,
    end: Place,
}

/// Line and column, both counted from 1; columns in characters.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Place {
    line: usize,
    column: usize,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Equivalents {
    #[serde(default)]
    mutant: Vec<Equivalent>,
}

/// Names a mutant without its line number, which every edit above would change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Equivalent {
    change: String,
    line: String,
    why: String,
}

impl Mutant {
    /// The reference's `sources` with this change.
    pub(crate) fn apply(&self, sources: &Sources) -> Sources {
        let mut sources = sources.clone();
        if let Some(text) = sources.get_mut(&self.file) {
            let range = offset(text, self.span.start)..offset(text, self.span.end);
            text.replace_range(range, &self.replacement);
        }
        sources
    }

    /// The change in words, without its place.
    fn change(&self) -> &str {
        self.name
            .split_once(": ")
            .map_or(&self.name, |(_, change)| change)
    }
}

/// All mutants of the lab's editable files.
///
/// # Errors
/// If cargo-mutants is missing or fails, or the list of equivalent ones is not up to date.
pub(crate) fn list(root: &Path, lab: &Lab, sources: &Sources) -> Result<Vec<Mutant>, MutantError> {
    let output = Command::new("cargo")
        .args(["mutants", "--list", "--json", "--dir"])
        .arg(root.join(&lab.dir))
        .output()
        .map_err(MutantError::NoTool)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(match said.contains("no such command") {
            true => MutantError::NoTool(std::io::Error::other("no such command")),
            false => MutantError::Tool(said),
        });
    }
    let path = root
        .join("grader/labs")
        .join(&lab.name)
        .join("equivalent.toml");
    let equivalents = read_equivalents(&path)?;
    let mut used = BTreeSet::new();
    let mut mutants = Vec::new();
    for listed in serde_json::from_slice::<Vec<Listed>>(&output.stdout)? {
        let in_lab = |path: &str| {
            Some(
                path.strip_prefix(&lab.dir)?
                    .trim_start_matches('/')
                    .to_owned(),
            )
        };
        let Some(file) = in_lab(&listed.file).filter(|file| sources.contains_key(file)) else {
            continue;
        };
        let line = sources[&file].lines().nth(listed.span.start.line - 1);
        let mut mutant = Mutant {
            name: in_lab(&listed.name).unwrap_or(listed.name),
            line: line.unwrap_or_default().trim().to_owned(),
            equivalent: None,
            file,
            span: listed.span,
            replacement: listed.replacement,
        };
        let known = equivalents
            .iter()
            .position(|known| known.change == mutant.change() && known.line == mutant.line);
        if let Some(known) = known {
            used.insert(known);
            mutant.equivalent = Some(equivalents[known].why.clone());
        }
        mutants.push(mutant);
    }
    match (0..equivalents.len()).find(|known| !used.contains(known)) {
        None => Ok(mutants),
        Some(stale) => Err(MutantError::Stale {
            path,
            change: equivalents[stale].change.clone(),
            line: equivalents[stale].line.clone(),
        }),
    }
}

fn read_equivalents(path: &Path) -> Result<Vec<Equivalent>, MutantError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => {
            let path = path.to_owned();
            return Err(MutantError::Read { path, source });
        }
    };
    let list: Equivalents = toml::from_str(&text).map_err(|source| MutantError::Toml {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    Ok(list.mutant)
}

/// The byte at `place`; the end of the text if it is shorter.
fn offset(text: &str, place: Place) -> usize {
    let start: usize = text
        .split_inclusive('\n')
        .take(place.line - 1)
        .map(str::len)
        .sum();
    text[start..]
        .char_indices()
        .nth(place.column - 1)
        .map_or(text.len(), |(at, _)| start + at)
}

#[cfg(test)]
mod tests {
    use super::{Place, offset};

    #[test]
    fn places_count_lines_from_one_and_columns_in_characters() {
        let text = "ä = b;\nö == ü\n";
        let at = |line, column| offset(text, Place { line, column });
        assert_eq!(&text[at(1, 1)..at(1, 2)], "ä");
        assert_eq!(&text[at(2, 3)..at(2, 5)], "==");
        assert_eq!(at(9, 1), text.len());
    }
}
