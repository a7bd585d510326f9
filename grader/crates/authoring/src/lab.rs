//! The labs of a repository: every `solutions/*/Cargo.toml` with a `[package.metadata.lab]` table.
//!
//! Adding a lab is adding a folder; no list names them. This module says clearly what such a
//! folder lacks, and knows nothing of hidden tests and points.

use std::collections::BTreeMap;
use std::path::Path;

use thiserror::Error;
use toml_edit::Item;

use crate::manifest::{Manifest, ManifestError};
use crate::markers::{self, MarkerError, Part, Syntax};
use crate::tree::{self, Tree, TreeError};

/// A lab, as its solution's manifest describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lab {
    /// The folder's name, which is also the name of the students' package: `fifo-chat`.
    pub name: String,
    /// What the lab is called in headings.
    pub title: String,
    /// Its place in the teaching order.
    pub order: i64,
    /// The files that students change, relative to the lab's folder: `src/lib.rs`.
    pub editable: Vec<String>,
    /// The solution's folder, relative to the repository: `solutions/fifo-chat`.
    pub dir: String,
    /// The crates that students' code may use: the keys of `[dependencies]`, sorted.
    pub dependencies: Vec<String>,
}

/// A lab's Rust files: path in the lab's folder (`src/lib.rs`) to text.
pub type Sources = BTreeMap<String, String>;

/// What is wrong with the labs of a repository.
#[derive(Debug, Error)]
pub enum LabError {
    /// A file cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A manifest is not TOML.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A marker is broken.
    #[error(transparent)]
    Marker(#[from] MarkerError),
    /// There is no lab at all.
    #[error("no solutions/*/Cargo.toml has a [package.metadata.lab] table")]
    NoLabs,
    /// The package's name does not follow from the folder's.
    #[error("{path}: the package is called `{found}`, and its folder asks for `{expected}`")]
    WrongName {
        /// The manifest.
        path: String,
        /// Its `package.name`, empty if there is none.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// A key is missing or of the wrong type.
    #[error("{path}: [package.metadata.lab] needs {key}")]
    Key {
        /// The manifest.
        path: String,
        /// The key, and what its value must be.
        key: &'static str,
    },
    /// Two labs claim one place in the teaching order.
    #[error("{first} and {second} both have order = {order}")]
    SameOrder {
        /// One of the two labs.
        first: String,
        /// The other.
        second: String,
        /// The order of both.
        order: i64,
    },
    /// Nothing is cut from the files that students change.
    #[error("{path} has no `// SOLUTION` marker, so students would get the whole solution")]
    NoMarkers {
        /// The file.
        path: String,
    },
    /// No lab has this name.
    #[error("there is no lab `{name}`; the labs are {known}")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The names that exist, with commas.
        known: String,
    },
}

/// The labs of the repository at `repo_root`, in teaching order.
///
/// # Errors
/// A lab whose folder is not complete or contradicts another; see [`LabError`].
pub fn discover(repo_root: &Path) -> Result<Vec<Lab>, LabError> {
    in_tree(&tree::read(repo_root, &["solutions"])?)
}

/// The labs of a repository that was read before, in teaching order.
///
/// # Errors
/// As [`discover`].
pub fn in_tree(repo: &Tree) -> Result<Vec<Lab>, LabError> {
    let mut labs = Vec::new();
    for path in repo.keys() {
        if let ["solutions", folder, "Cargo.toml"] = path.split('/').collect::<Vec<_>>()[..] {
            labs.extend(read_lab(repo, path, folder)?);
        }
    }
    labs.sort_by_key(|lab: &Lab| lab.order);
    for pair in labs.windows(2) {
        if pair[0].order == pair[1].order {
            return Err(LabError::SameOrder {
                first: pair[0].name.clone(),
                second: pair[1].name.clone(),
                order: pair[0].order,
            });
        }
    }
    if labs.is_empty() {
        Err(LabError::NoLabs)
    } else {
        Ok(labs)
    }
}

/// The one of `labs` that is called `name`.
///
/// # Errors
/// There is none.
pub fn named<'a>(labs: &'a [Lab], name: &str) -> Result<&'a Lab, LabError> {
    labs.iter()
        .find(|lab| lab.name == name)
        .ok_or_else(|| LabError::Unknown {
            name: name.to_owned(),
            known: labs
                .iter()
                .map(|lab| lab.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// The lab in `solutions/<folder>`, or none when the package does not say that it is one.
fn read_lab(repo: &Tree, path: &str, folder: &str) -> Result<Option<Lab>, LabError> {
    let manifest = Manifest::parse(path, tree::text(repo, path)?)?;
    if manifest.get(&["package", "metadata", "lab"]).is_none() {
        return Ok(None);
    }
    let expected = format!("{folder}-solution");
    if manifest.package() != Some(&expected) {
        let found = manifest.package().unwrap_or_default().to_owned();
        return Err(LabError::WrongName {
            path: path.to_owned(),
            found,
            expected,
        });
    }
    let need = |key| LabError::Key {
        path: path.to_owned(),
        key,
    };
    let setting = |key| manifest.get(&["package", "metadata", "lab", key]);
    let title = setting("title").and_then(Item::as_str);
    let order = setting("order").and_then(Item::as_integer);
    let lab = Lab {
        name: folder.to_owned(),
        title: title.ok_or_else(|| need("title = \"...\""))?.to_owned(),
        order: order.ok_or_else(|| need("order = N, a whole number"))?,
        editable: setting("editable")
            .and_then(strings)
            .filter(|files| !files.is_empty())
            .ok_or_else(|| need("editable = [\"src/lib.rs\"], the files that students change"))?,
        dir: format!("solutions/{folder}"),
        dependencies: manifest.dependencies(),
    };
    check_files(repo, &lab)?;
    Ok(Some(lab))
}

fn strings(item: &Item) -> Option<Vec<String>> {
    item.as_array()?
        .iter()
        .map(|value| value.as_str().map(str::to_owned))
        .collect()
}

/// The handout, the public tests and the files that students change are there, and something is
/// cut from the latter.
fn check_files(repo: &Tree, lab: &Lab) -> Result<(), LabError> {
    tree::text(repo, &format!("{}/README.md", lab.dir))?;
    tree::text(repo, &format!("{}/tests/public.rs", lab.dir))?;
    for file in &lab.editable {
        let path = format!("{}/{file}", lab.dir);
        let parts = markers::parse(&path, Syntax::Rust, tree::text(repo, &path)?)?;
        if !parts.iter().any(|part| matches!(part, Part::Region { .. })) {
            return Err(LabError::NoMarkers { path });
        }
    }
    Ok(())
}

impl Lab {
    /// The solution's `src/**/*.rs` as they are in the repository at `repo_root`, markers
    /// included: what a wrong solution's patch applies to.
    ///
    /// # Errors
    /// A file cannot be read or is not text.
    pub fn sources(&self, repo_root: &Path) -> Result<Sources, LabError> {
        let src = format!("{}/src", self.dir);
        let repo = tree::read(repo_root, &[&src])?;
        let mut sources = Sources::new();
        for path in repo.keys().filter(|path| path.ends_with(".rs")) {
            let name = path[self.dir.len() + 1..].to_owned();
            sources.insert(name, tree::text(&repo, path)?.to_owned());
        }
        Ok(sources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(labs: &[(&str, &str)]) -> Tree {
        let mut repo = Tree::new();
        for (folder, manifest) in labs {
            let mut put = |name: &str, text: &str| {
                repo.insert(
                    format!("solutions/{folder}/{name}"),
                    text.as_bytes().to_vec(),
                );
            };
            put("Cargo.toml", manifest);
            put("src/lib.rs", "// SOLUTION\n// END SOLUTION\n");
            put("tests/public.rs", "");
            put("README.md", "");
        }
        repo
    }

    fn manifest(name: &str, order: i64) -> String {
        format!(
            "[package]\nname = \"{name}-solution\"\n[package.metadata.lab]\ntitle = \"{name}!\"\n\
             order = {order}\neditable = [\"src/lib.rs\"]\n[dependencies]\nnix.workspace = true\n\
             libc.workspace = true\n"
        )
    }

    fn error(repo: &Tree) -> String {
        in_tree(repo).unwrap_err().to_string()
    }

    #[test]
    fn labs_come_in_teaching_order_with_all_their_manifest_says() {
        let (b, a) = (manifest("b", 1), manifest("a", 2));
        let mut repo = repository(&[("a", &a), ("b", &b)]);
        let plain = b"[package]\nname = \"shared\"\n".to_vec();
        repo.insert("solutions/shared/Cargo.toml".to_owned(), plain);
        let labs = in_tree(&repo).unwrap();
        assert_eq!(labs.len(), 2);
        assert_eq!(labs[1].name, "a");
        assert_eq!(
            labs[0],
            Lab {
                name: "b".to_owned(),
                title: "b!".to_owned(),
                order: 1,
                editable: vec!["src/lib.rs".to_owned()],
                dir: "solutions/b".to_owned(),
                dependencies: vec!["libc".to_owned(), "nix".to_owned()],
            }
        );
    }

    #[test]
    fn a_package_with_the_wrong_name_is_refused() {
        let repo = repository(&[("a", &manifest("b", 1))]);
        assert_eq!(
            error(&repo),
            "solutions/a/Cargo.toml: the package is called `b-solution`, and its folder asks for \
             `a-solution`"
        );
    }

    #[test]
    fn a_missing_key_is_named() {
        for key in ["title", "order", "editable"] {
            let text = manifest("a", 1);
            let kept: Vec<_> = text.lines().filter(|line| !line.starts_with(key)).collect();
            let message = error(&repository(&[("a", &kept.join("\n"))]));
            let expected = format!("solutions/a/Cargo.toml: [package.metadata.lab] needs {key} = ");
            assert!(message.starts_with(&expected), "{message}");
        }
    }

    #[test]
    fn two_labs_of_one_order_are_refused() {
        let repo = repository(&[("a", &manifest("a", 3)), ("b", &manifest("b", 3))]);
        assert_eq!(error(&repo), "a and b both have order = 3");
    }

    #[test]
    fn a_solution_without_markers_is_refused() {
        let mut repo = repository(&[("a", &manifest("a", 1))]);
        repo.insert("solutions/a/src/lib.rs".to_owned(), b"fn f() {}\n".to_vec());
        assert!(error(&repo).starts_with("solutions/a/src/lib.rs has no `// SOLUTION` marker"));
    }

    #[test]
    fn a_lab_without_handout_is_refused() {
        let mut repo = repository(&[("a", &manifest("a", 1))]);
        repo.remove("solutions/a/README.md");
        assert_eq!(error(&repo), "solutions/a/README.md is missing");
    }

    #[test]
    fn a_repository_without_labs_is_refused() {
        assert!(matches!(in_tree(&Tree::new()), Err(LabError::NoLabs)));
    }

    #[test]
    fn an_unknown_lab_is_answered_with_the_known_ones() {
        let labs = in_tree(&repository(&[("a", &manifest("a", 1))])).unwrap();
        assert_eq!(named(&labs, "a").unwrap().order, 1);
        let message = named(&labs, "x").unwrap_err().to_string();
        assert_eq!(message, "there is no lab `x`; the labs are a");
    }
}
