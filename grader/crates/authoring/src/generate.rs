//! What `labs/` must hold, and how it differs from what it does hold.
//!
//! `labs/` is generated and committed: whoever reads the repository sees what students get, and a
//! test sees when the two drift apart.

use std::fmt;
use std::path::Path;

use diffy::DiffOptions;
use thiserror::Error;

use crate::lab::{self, LabError};
use crate::student::{self, StudentError};
use crate::tree::{self, Tree, TreeError};

/// Why `labs/` could not be made.
#[derive(Debug, Error)]
pub enum GenerateError {
    /// The labs themselves are not in order.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A lab's folder cannot be made from its solution.
    #[error(transparent)]
    Student(#[from] StudentError),
    /// The disk refused.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// One way in which `labs/` is not what `solutions/` makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The file must be there and is not.
    Missing {
        /// Its path in the repository.
        path: String,
    },
    /// The file has another content.
    Different {
        /// Its path in the repository.
        path: String,
        /// A unified diff from what is there to what must be there.
        diff: String,
    },
    /// Nothing in `solutions/` makes this file.
    Unexpected {
        /// Its path in the repository.
        path: String,
    },
}

impl Difference {
    /// The file's path in the repository.
    pub fn path(&self) -> &str {
        let (Self::Missing { path } | Self::Different { path, .. } | Self::Unexpected { path }) =
            self;
        path
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path } => write!(f, "{path} is missing"),
            Self::Different { path, diff } => write!(f, "{path} differs\n{diff}"),
            Self::Unexpected { path } => write!(f, "{path} comes from no solution"),
        }
    }
}

/// All files of `labs/`, with their paths in the repository, as `solutions/` makes them.
///
/// # Errors
/// A lab that is not in order.
pub fn labs(repo: &Tree) -> Result<Tree, GenerateError> {
    let mut out = Tree::new();
    for lab in lab::in_tree(repo)? {
        for (name, bytes) in student::folder(repo, &lab)? {
            out.insert(format!("labs/{}/{name}", lab.name), bytes);
        }
    }
    Ok(out)
}

/// Compares the `labs/` of the repository at `repo_root` with what its `solutions/` make.
/// An empty list means that nothing has to be done.
///
/// # Errors
/// A lab that is not in order, or a file that cannot be read.
pub fn check(repo_root: &Path) -> Result<Vec<Difference>, GenerateError> {
    let repo = tree::read(repo_root, &["solutions", "labs"])?;
    Ok(differences(&repo, &labs(&repo)?))
}

/// Makes `labs/` of the repository at `repo_root` what [`check`] asks for, and returns what had to
/// be changed.
///
/// # Errors
/// As [`check`], or a file that cannot be written.
pub fn write_labs(repo_root: &Path) -> Result<Vec<Difference>, GenerateError> {
    let repo = tree::read(repo_root, &["solutions", "labs"])?;
    let wanted = labs(&repo)?;
    let differences = differences(&repo, &wanted);
    tree::write(repo_root, &wanted)?;
    for difference in &differences {
        if let Difference::Unexpected { path } = difference {
            tree::remove(repo_root, path)?;
        }
    }
    Ok(differences)
}

fn differences(repo: &Tree, wanted: &Tree) -> Vec<Difference> {
    let mut found = Vec::new();
    for (path, bytes) in wanted {
        match repo.get(path) {
            None => found.push(Difference::Missing { path: path.clone() }),
            Some(there) if there != bytes => {
                let diff = unified_diff(path, there, bytes);
                found.push(Difference::Different {
                    path: path.clone(),
                    diff,
                });
            }
            Some(_) => {}
        }
    }
    let unexpected = tree::under(repo, "labs").filter(|(path, _)| !wanted.contains_key(*path));
    found.extend(unexpected.map(|(path, _)| Difference::Unexpected {
        path: path.to_owned(),
    }));
    found
}

fn unified_diff(path: &str, there: &[u8], wanted: &[u8]) -> String {
    let (there, wanted) = (
        String::from_utf8_lossy(there),
        String::from_utf8_lossy(wanted),
    );
    let mut options = DiffOptions::new();
    options.set_original_filename(path.to_owned());
    options.set_modified_filename(format!("{path} (generated)"));
    options.create_patch(&there, &wanted).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    fn repository() -> Tree {
        tree(&[
            (
                "solutions/a/Cargo.toml",
                "[package]\nname = \"a-solution\"\n[package.metadata.lab]\ntitle = \"A\"\norder = \
                 1\neditable = [\"src/lib.rs\"]\n",
            ),
            ("solutions/a/README.md", "# A\n"),
            ("solutions/a/tests/public.rs", ""),
            (
                "solutions/a/src/lib.rs",
                "one\n// SOLUTION two\nsecret\n// END SOLUTION\n",
            ),
        ])
    }

    #[test]
    fn every_kind_of_difference_is_found_and_then_mended() {
        let root = tempfile::tempdir().unwrap();
        tree::write(root.path(), &repository()).unwrap();
        assert_eq!(write_labs(root.path()).unwrap().len(), 4);
        assert_eq!(check(root.path()).unwrap(), []);

        tree::write(
            root.path(),
            &tree(&[("labs/a/src/lib.rs", "one\nold\n"), ("labs/b/notes", "")]),
        )
        .unwrap();
        tree::remove(root.path(), "labs/a/README.md").unwrap();
        let found = check(root.path()).unwrap();
        let diff = "--- labs/a/src/lib.rs\n+++ labs/a/src/lib.rs (generated)\n@@ -1,2 +1,2 @@\n \
                    one\n-old\n+two\n";
        assert_eq!(
            found,
            [
                Difference::Missing {
                    path: "labs/a/README.md".to_owned()
                },
                Difference::Different {
                    path: "labs/a/src/lib.rs".to_owned(),
                    diff: diff.to_owned()
                },
                Difference::Unexpected {
                    path: "labs/b/notes".to_owned()
                },
            ]
        );
        assert_eq!(write_labs(root.path()).unwrap(), found);
        assert_eq!(check(root.path()).unwrap(), []);
    }
}
