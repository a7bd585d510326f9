//! Correct solutions written in another way than the reference, kept as whole files beside the
//! hidden tests: what they do is right by the lab's contract, so a hidden test that fails one of
//! them asks for more than was ever said.
//!
//! One folder a solution, with the files that students change and nothing else. The first line of
//! the first of them says how it differs:
//!
//! ```text
//! //! WHY: waits with epoll in one thread, where the reference starts a second one
//! ```
//!
//! This module does not know whether they compile or pass.

use std::path::Path;

use thiserror::Error;

use crate::lab::{Lab, Sources};
use crate::tree::{self, TreeError};

/// How the first line begins.
const WHY: &str = "//! WHY: ";

/// A correct solution that is not the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectSolution {
    /// The folder's name.
    pub name: String,
    /// How it differs from the reference, in one line.
    pub why: String,
    /// The files that students change, all of them.
    pub sources: Sources,
}

/// What is wrong with a folder. Every message names it.
#[derive(Debug, Error)]
pub enum CorrectError {
    /// The folder or a file in it cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The files are not those that students change.
    #[error("{name}: a correct solution holds {expected} and nothing else, not {found}")]
    Files {
        /// The folder.
        name: String,
        /// The files that students change, with commas.
        expected: String,
        /// The files that are there, with commas.
        found: String,
    },
    /// The first line gives no reason.
    #[error("{name}: {file} must begin with `//! WHY: ` and how it differs from the reference")]
    NoWhy {
        /// The folder.
        name: String,
        /// The file.
        file: String,
    },
}

/// The correct solutions of `lab` in the folder `dir` (`grader/labs/<lab>/correct`), by name. A
/// folder that is not there holds none.
///
/// # Errors
/// A file that cannot be read, other files than students change, or no reason in the first line.
pub fn read_dir(dir: &Path, lab: &Lab) -> Result<Vec<CorrectSolution>, CorrectError> {
    if !tree::exists(dir)? {
        return Ok(Vec::new());
    }
    let mut names = tree::names_in(dir)?;
    names.sort();
    names
        .into_iter()
        .map(|name| read_one(dir, name, lab))
        .collect()
}

fn read_one(dir: &Path, name: String, lab: &Lab) -> Result<CorrectSolution, CorrectError> {
    let files = tree::read_all(&dir.join(&name))?;
    let mut expected = lab.editable.clone();
    expected.sort();
    let found: Vec<String> = files.keys().cloned().collect();
    if found != expected {
        let (expected, found) = (expected.join(", "), found.join(", "));
        return Err(CorrectError::Files {
            name,
            expected,
            found,
        });
    }
    let mut sources = Sources::new();
    for file in found {
        let text = tree::text(&files, &file)?.to_owned();
        sources.insert(file, text);
    }
    // A lab without editable files is refused before.
    let file = &lab.editable[0];
    let why = sources[file].lines().next().unwrap_or_default();
    match why.strip_prefix(WHY).map(str::trim) {
        Some(why) if !why.is_empty() => Ok(CorrectSolution {
            name,
            why: why.to_owned(),
            sources,
        }),
        _ => Err(CorrectError::NoWhy {
            name,
            file: file.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab() -> Lab {
        Lab {
            name: "first".to_owned(),
            title: "First".to_owned(),
            order: 1,
            editable: vec!["src/lib.rs".to_owned()],
            dir: "solutions/first".to_owned(),
            dependencies: Vec::new(),
        }
    }

    fn read(files: &[(&str, &str)]) -> Result<Vec<CorrectSolution>, CorrectError> {
        let dir = tempfile::tempdir().unwrap();
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
            .collect();
        tree::write(dir.path(), &files).unwrap();
        read_dir(dir.path(), &lab())
    }

    #[test]
    fn a_folder_gives_its_solutions_by_name_with_their_reasons() {
        let read = read(&[
            ("with_b/src/lib.rs", "//! WHY: uses b\nfn b() {}\n"),
            ("with_a/src/lib.rs", "//! WHY: uses a \n"),
        ])
        .unwrap();
        let names: Vec<_> = read.iter().map(|one| (&*one.name, &*one.why)).collect();
        assert_eq!(names, [("with_a", "uses a"), ("with_b", "uses b")]);
        assert_eq!(
            read[1].sources["src/lib.rs"],
            "//! WHY: uses b\nfn b() {}\n"
        );
        assert_eq!(
            read_dir(Path::new("/nowhere/at/all"), &lab()).unwrap(),
            [],
            "a lab need not have the folder"
        );
    }

    #[test]
    fn a_solution_without_a_reason_is_refused() {
        for text in ["fn f() {}\n", "//! WHY: \n", "//! Uses a.\n", ""] {
            let error = read(&[("with_a/src/lib.rs", text)])
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("with_a: src/lib.rs must begin with"),
                "{error}"
            );
        }
    }

    #[test]
    fn files_that_students_do_not_change_are_refused() {
        let lib = ("with_a/src/lib.rs", "//! WHY: uses a\n");
        for files in [
            vec![lib, ("with_a/src/main.rs", "")],
            vec![("with_a/src/main.rs", "")],
        ] {
            let error = read(&files).unwrap_err().to_string();
            assert!(
                error.starts_with("with_a: a correct solution holds src/lib.rs and nothing else"),
                "{error}"
            );
        }
    }
}
