//! The last look before students see a tree: is there anything in it that gives the work away?
//!
//! The look does not trust the code that made the tree. It knows the secrets of the repository,
//! which are the solutions of labs that are not closed and everything about hidden tests, and
//! searches every file for them, whoever wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use thiserror::Error;

use crate::lab::{self, Lab, LabError};
use crate::markers::{self, Part, Syntax};
use crate::tree::{self, Tree, TreeError};

/// Something in a published tree that students must not see.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file's path in the tree.
    pub path: String,
    /// The line, counted from 1; none when it is the path itself that tells.
    pub line: Option<usize>,
    /// What was found there.
    pub leak: Leak,
}

/// A kind of secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leak {
    /// A line that begins as a marker or as the header of a wrong solution's patch.
    Marker(&'static str),
    /// A path that belongs to hidden tests or wrong solutions.
    HiddenPath,
    /// A word that names them.
    HiddenName(String),
    /// Lines of the solution, or of an answer, of this lab.
    Solution(String),
    /// Lines of this file of the hidden tests.
    HiddenTest(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        match &self.leak {
            Leak::Marker(word) => write!(f, ": a line begins with `{word}`"),
            Leak::HiddenPath => f.write_str(": a file of the hidden tests"),
            Leak::HiddenName(name) => write!(f, ": names `{name}`"),
            Leak::Solution(lab) => write!(f, ": lines of the solution of {lab}"),
            Leak::HiddenTest(file) => write!(f, ": lines of {file}"),
        }
    }
}

/// Why the look could not be taken.
#[derive(Debug, Error)]
pub enum LeakError {
    /// A file cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The labs of the repository are not in order, so their secrets are not known.
    #[error(transparent)]
    Lab(#[from] LabError),
}

/// Words that begin a line in the staff's files only.
const STAFF_LINES: [&str; 5] = [
    "// SOLUTION",
    "// END SOLUTION",
    "<!-- SOLUTION",
    "<!-- END SOLUTION",
    "CAUGHT-BY:",
];

/// Searches the published tree at `dir` for secrets of the repository at `repo_root`. Solutions
/// that lie in the tree's own `solutions/` are published on purpose and no secret.
///
/// # Errors
/// A file that cannot be read, or a lab that is not in order.
pub fn find(dir: &Path, repo_root: &Path) -> Result<Vec<Finding>, LeakError> {
    let repo = tree::read(repo_root, &["solutions", "grader/labs", "grader/crates"])?;
    in_tree(&tree::read_all(dir)?, &repo)
}

/// Searches `published`, as [`find`] does.
///
/// # Errors
/// As [`find`].
pub fn in_tree(published: &Tree, repo: &Tree) -> Result<Vec<Finding>, LeakError> {
    let labs = lab::in_tree(repo)?;
    let secrets = Secrets::of(published, repo, &labs)?;
    let mut findings = BTreeSet::new();
    for (path, bytes) in published {
        let mut add = |line, leak| {
            findings.insert(Finding {
                path: path.clone(),
                line,
                leak,
            })
        };
        if is_hidden(path, &secrets.names) {
            add(None, Leak::HiddenPath);
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            continue;
        };
        for (line, number) in text.lines().zip(1..) {
            let begins = STAFF_LINES
                .into_iter()
                .find(|word| line.trim_start().starts_with(word));
            if let Some(word) = begins {
                add(Some(number), Leak::Marker(word));
            }
            if let Some(name) = secrets.names.iter().find(|name| line.contains(*name)) {
                add(Some(number), Leak::HiddenName(name.clone()));
            }
        }
        // One finding a secret is enough: a copied file would otherwise fill the screen.
        let mut told = BTreeSet::new();
        let lines = || text.lines().zip(1..);
        for (number, passage) in passages(lines()).chain(answers(lines())) {
            if let Some(leak) = secrets.passages.get(&passage)
                && told.insert(leak)
            {
                add(Some(number), leak.clone());
            }
        }
    }
    Ok(findings.into_iter().collect())
}

fn is_hidden(path: &str, names: &[String]) -> bool {
    path.ends_with(".patch")
        || path.split('/').any(|part| {
            matches!(part, "wrong" | "correct") || names.iter().any(|name| name == part)
        })
        || path.starts_with("grader/labs/")
}

struct Secrets {
    /// Words that name hidden tests.
    names: Vec<String>,
    /// Passages of secret files, and what it means to find one.
    passages: BTreeMap<String, Leak>,
}

impl Secrets {
    fn of(published: &Tree, repo: &Tree, labs: &[Lab]) -> Result<Self, LeakError> {
        let mut names = vec!["grader/labs".to_owned()];
        names.extend(labs.iter().map(|lab| format!("{}-tests", lab.name)));
        let mut secrets = Self {
            names,
            passages: BTreeMap::new(),
        };

        let mut public = given_passages(repo, labs)?;
        for folder in ["grader/crates", "solutions"] {
            // The code that labs share, and solutions of closed labs, are meant to be seen.
            for (_, bytes) in tree::under(published, folder) {
                public.extend(all_passages(&String::from_utf8_lossy(bytes)));
            }
        }
        for lab in labs {
            secrets.add_solution(repo, lab, &public)?;
            // What a hidden test has in common with the public ones is no secret.
            let path = format!("{}/tests/public.rs", lab.dir);
            public.extend(all_passages(tree::text(repo, &path)?));
        }
        for (path, bytes) in tree::under(repo, "grader/labs") {
            if path.ends_with(".rs") {
                let text = String::from_utf8_lossy(bytes);
                for (_, passage) in passages(text.lines().zip(1..)) {
                    secrets.add(passage, &public, || Leak::HiddenTest(path.to_owned()));
                }
            }
        }
        Ok(secrets)
    }

    fn add(&mut self, passage: String, public: &BTreeSet<String>, leak: impl FnOnce() -> Leak) {
        if !public.contains(&passage) {
            self.passages.entry(passage).or_insert_with(leak);
        }
    }

    fn add_solution(
        &mut self,
        repo: &Tree,
        lab: &Lab,
        public: &BTreeSet<String>,
    ) -> Result<(), LabError> {
        for (syntax, parts) in marked_files(repo, lab)? {
            for part in parts {
                let Part::Region { lines, .. } = part else {
                    continue;
                };
                let lines = lines.into_iter().zip(1..);
                let found: Vec<_> = match syntax {
                    Syntax::Rust => passages(lines).collect(),
                    Syntax::Markdown => answers(lines).collect(),
                };
                for (_, passage) in found {
                    self.add(passage, public, || Leak::Solution(lab.name.clone()));
                }
            }
        }
        Ok(())
    }
}

/// The parts of a lab's code and handout, file by file.
fn marked_files<'a>(
    repo: &'a Tree,
    lab: &'a Lab,
) -> Result<Vec<(Syntax, Vec<Part<'a>>)>, LabError> {
    let mut files = Vec::new();
    for (path, _) in tree::under(repo, &lab.dir) {
        let name = &path[lab.dir.len() + 1..];
        if let Some(syntax) = Syntax::of(path)
            && (name.starts_with("src/") || name == "README.md")
        {
            let parts = markers::parse(path, syntax, tree::text(repo, path)?)?;
            files.push((syntax, parts));
        }
    }
    Ok(files)
}

/// Passages of the code and handouts that students are given. A solution may repeat them.
fn given_passages(repo: &Tree, labs: &[Lab]) -> Result<BTreeSet<String>, LabError> {
    let mut given = BTreeSet::new();
    for lab in labs {
        for (_, parts) in marked_files(repo, lab)? {
            // Without what lies between them: so they stand in the stub.
            let lines = parts.into_iter().filter_map(|part| match part {
                Part::Given(lines) => Some(lines),
                Part::Region { .. } => None,
            });
            given.extend(all_passages(
                &lines.flatten().collect::<Vec<_>>().join("\n"),
            ));
        }
    }
    Ok(given)
}

fn all_passages(text: &str) -> Vec<String> {
    let lines = || text.lines().zip(1..);
    passages(lines())
        .chain(answers(lines()))
        .map(|(_, passage)| passage)
        .collect()
}

/// Lines of code in a row that make a passage: fewer are a coincidence.
const PASSAGE: usize = 3;

/// Every run of [`PASSAGE`] telling lines, with the number of its first line. Indentation, blank
/// lines, comments, imports and lone brackets do not count, so that a copy is found however it
/// was laid out.
fn passages<'a>(
    lines: impl Iterator<Item = (&'a str, usize)>,
) -> impl Iterator<Item = (usize, String)> {
    let telling: Vec<_> = lines
        .map(|(line, number)| (line.trim(), number))
        .filter(|(line, _)| letters(line) >= 8)
        .filter(|(line, _)| {
            !["//", "#[", "use "]
                .iter()
                .any(|start| line.starts_with(start))
        })
        .collect();
    let runs = telling.windows(PASSAGE);
    let runs: Vec<_> = runs
        .map(|run| {
            (
                run[0].1,
                run.iter()
                    .map(|(line, _)| *line)
                    .collect::<Vec<_>>()
                    .join("\n"),
            )
        })
        .collect();
    runs.into_iter()
}

/// Every line that is long enough to be a sentence, with its number: an answer needs no more.
fn answers<'a>(
    lines: impl Iterator<Item = (&'a str, usize)>,
) -> impl Iterator<Item = (usize, String)> {
    lines
        .map(|(line, number)| (number, line.trim().to_owned()))
        .filter(|(_, line)| letters(line) >= 40)
}

fn letters(line: &str) -> usize {
    line.chars().filter(|c| c.is_alphanumeric()).count()
}
