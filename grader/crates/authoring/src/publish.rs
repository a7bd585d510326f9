//! The tree that students clone: labs as stubs, the crates that their public tests use, the
//! students' documents, and a workspace that holds just that.
//!
//! [`compose`] makes the tree from the repository's; [`publish`] looks it over for leaks and
//! writes it. Nothing here builds it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::generate::{self, GenerateError};
use crate::lab::{self, Lab, LabError};
use crate::leaks::{self, Finding, LeakError};
use crate::lockfile;
use crate::manifest::{Manifest, ManifestError};
use crate::published::{self, Folder};
use crate::student::{self, StudentError};
use crate::tree::{self, Tree, TreeError};
use crate::workspace::{self, Workspace, WorkspaceError};

/// Why a tree was not published.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The labs are not in order, or no lab has the name of a solution that was asked for.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The stubs cannot be made.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A closed lab's solution cannot be made.
    #[error(transparent)]
    Student(#[from] StudentError),
    /// The root manifest, or that of a crate that students need, is not in order.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// `Cargo.lock` or the manifest of a crate that students need is not TOML.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The disk refused.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The look for leaks could not be taken.
    #[error(transparent)]
    Look(#[from] LeakError),
    /// The folder holds something that `publish` did not write.
    #[error(
        "{} is not empty and was not written by publish; name a new or an empty folder",
        dir.display()
    )]
    Foreign {
        /// The folder.
        dir: PathBuf,
    },
    /// The tree would give work away. Nothing was written.
    #[error("nothing was written, because students would see:{}", list(findings))]
    Leaks {
        /// What they would see.
        findings: Vec<Finding>,
    },
}

fn list(findings: &[Finding]) -> String {
    findings.iter().fold(String::new(), |mut text, finding| {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {finding}");
        text
    })
}

/// What [`publish`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The files of the tree, by path.
    pub files: Vec<String>,
    /// Files of an earlier publication that do not belong to this one and were removed.
    pub removed: Vec<String>,
}

/// Copied as they are, where the repository has them.
const COPIED: [&str; 6] = [
    ".gitignore",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "clippy.toml",
    "rust-toolchain.toml",
    "rustfmt.toml",
];

/// The crate that holds the students' commands, where a course has one.
const COMMANDS: &str = "student";

/// The program that one of those commands builds and starts, where a course has one.
const MEASURES: &str = "datapath-labs";

/// Where cargo looks for aliases.
const CONFIG: &str = ".cargo/config.toml";

/// `cargo lab` in a student's tree.
const ALIAS: &str = "[alias]\n# `cargo lab check`, `watch`, `hint` and `compare`.\nlab = \"run \
                     --package student --\"\n";

/// Everything that publishing reads.
const READ: [&str; 6] = [
    workspace::PATH,
    lockfile::PATH,
    "docs/student",
    "grader/crates",
    "grader/labs",
    "solutions",
];

/// Writes the students' tree of the repository at `repo_root` to `dir`, with the solutions of the
/// labs named in `solutions`. `dir` may be new, empty, or published before; then files that no
/// longer belong to the tree are removed, and files that publishing did not write stay as they
/// are.
///
/// # Errors
/// See [`PublishError`]. Unless it is the disk that refuses half way, nothing was written; after
/// such a refusal the same command can be given again.
pub fn publish(
    repo_root: &Path,
    dir: &Path,
    solutions: &[String],
) -> Result<Published, PublishError> {
    let repo = tree::read(repo_root, &[&READ[..], &COPIED[..]].concat())?;
    let tree = compose(&repo, solutions)?;
    let findings = leaks::in_tree(&tree, &repo)?;
    if !findings.is_empty() {
        return Err(PublishError::Leaks { findings });
    }
    let before = match published::look_at(dir)? {
        Folder::Empty => Default::default(),
        Folder::Published(paths) => paths,
        Folder::Foreign => {
            return Err(PublishError::Foreign {
                dir: dir.to_owned(),
            });
        }
    };

    // Until all is done the record names old and new files: an interrupted publication is still
    // recognised, and cleaned up by the next one.
    let record = |bytes| Tree::from([(published::PATH.to_owned(), bytes)]);
    tree::write(
        dir,
        &record(published::record(before.iter().chain(tree.keys()))),
    )?;
    tree::write(dir, &tree)?;
    let removed: Vec<_> = before
        .into_iter()
        .filter(|path| !tree.contains_key(path))
        .collect();
    for path in &removed {
        tree::remove(dir, path)?;
    }
    tree::write(dir, &record(published::record(tree.keys())))?;
    Ok(Published {
        files: tree.into_keys().collect(),
        removed,
    })
}

/// The students' tree of the repository `repo`, with the solutions of the labs named in
/// `solutions`.
///
/// # Errors
/// A part of the repository that is not in order, or an unknown lab.
pub fn compose(repo: &Tree, solutions: &[String]) -> Result<Tree, PublishError> {
    let labs = lab::in_tree(repo)?;
    let mut out = generate::labs(repo)?;
    let mut packages: Vec<_> = labs.iter().map(|lab| lab.name.clone()).collect();
    for name in solutions {
        let lab = lab::named(&labs, name)?;
        for (path, bytes) in student::solution_folder(repo, lab)? {
            out.insert(format!("{}/{path}", lab.dir), bytes);
        }
        packages.push(format!("{name}-solution"));
    }

    let workspace = Workspace::of(repo)?;
    let folders: Vec<_> = labs.iter().map(|lab| lab.dir.as_str()).collect();
    let needs = workspace.needs(repo, &folders, &[COMMANDS, MEASURES])?;
    if needs.crates.contains_key(COMMANDS) {
        out.insert(CONFIG.to_owned(), ALIAS.as_bytes().to_vec());
    }
    let mut members = vec!["labs/*".to_owned()];
    if !solutions.is_empty() {
        members.push("solutions/*".to_owned());
    }
    for (name, folder) in &needs.crates {
        copy_crate(repo, folder, &mut out)?;
        packages.push(name.clone());
        members.push(folder.clone());
    }
    let packages: Vec<_> = packages.iter().map(String::as_str).collect();
    let lock = lockfile::prune(tree::text(repo, lockfile::PATH)?, &packages)?;
    let manifest = workspace.for_students(&members, &needs, &lock.packages);
    out.insert(workspace::PATH.to_owned(), manifest.into_bytes());
    out.insert(lockfile::PATH.to_owned(), lock.text.into_bytes());

    let documents = tree::under(repo, "docs/student");
    let copied = COPIED.iter().filter_map(|path| repo.get_key_value(*path));
    let copied = copied.map(|(path, bytes)| (path.as_str(), bytes));
    out.extend(
        documents
            .chain(copied)
            .map(|(path, bytes)| (path.to_owned(), bytes.clone())),
    );
    // The students' README is written for the top of their tree.
    let template = match out.remove("docs/student/README.md") {
        Some(_) => tree::text(repo, "docs/student/README.md")?,
        None => SHORT_README,
    };
    out.insert(
        "README.md".to_owned(),
        with_labs(template, &labs).into_bytes(),
    );
    Ok(out)
}

/// A crate without its own integration tests, which are for those who change it.
fn copy_crate(repo: &Tree, folder: &str, out: &mut Tree) -> Result<(), PublishError> {
    let tests = format!("{folder}/tests/");
    for (path, bytes) in tree::under(repo, folder) {
        if !path.starts_with(&tests) {
            out.insert(path.to_owned(), bytes.clone());
        }
    }
    let path = format!("{folder}/Cargo.toml");
    let manifest = Manifest::parse(&path, tree::text(repo, &path)?)?.without_tests();
    out.insert(path, manifest.into_bytes());
    Ok(())
}

/// The README of a repository that has none for students.
const SHORT_README: &str = "# Labs\n\nRed at the start is normal. Begin with the handout of the \
                            first lab.\n\n<!-- LABS -->\n";

/// `template` with the list of labs in place of the line `<!-- LABS -->`, so that a new lab needs
/// no edit there.
fn with_labs(template: &str, labs: &[Lab]) -> String {
    let mut rows = "| | lab | handout | public tests |\n|--|--|--|--|".to_owned();
    for (lab, number) in labs.iter().zip(1..) {
        // Writing to a string cannot fail.
        let _ = write!(
            rows,
            "\n| {number} | {} | `labs/{1}/README.md` | `cargo test -p {1}` |",
            lab.title, lab.name
        );
    }
    let lines = template
        .lines()
        .map(|line| if line == "<!-- LABS -->" { &rows } else { line });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}
