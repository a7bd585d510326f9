//! Finds the labs: every folder whose manifest has a `[package.metadata.lab]` table.
//!
//! Reads manifests only. Solutions lie in such a tree for those who write the labs; they are
//! found by their name and never chosen by themselves.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A tree of labs.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The workspace's folder.
    pub(crate) root: PathBuf,
    /// Its labs in teaching order.
    pub(crate) labs: Vec<Lab>,
    /// Solutions, where there are any.
    others: Vec<Lab>,
}

/// One lab.
#[derive(Clone, Debug)]
pub(crate) struct Lab {
    /// The package's name.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// What the manifest says of it.
    pub(crate) about: About,
}

/// `[package.metadata.lab]`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct About {
    /// What the lab is called in headings.
    pub(crate) title: String,
    /// Its place in the teaching order.
    pub(crate) order: i64,
    /// What hidden tests there are, without saying which.
    #[serde(default)]
    pub(crate) hidden: Hidden,
}

/// What students are told of hidden tests before they hand in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Hidden {
    /// How many there are for each part, from part 1.
    pub(crate) per_part: Vec<usize>,
    /// What they are about.
    pub(crate) about: Vec<String>,
}

/// What is wrong with the tree or with the name of a lab.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    /// No folder from here upwards holds labs.
    #[error("no labs here: run this inside the folder that holds Cargo.toml and labs/")]
    NoTree,
    /// A file cannot be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// A manifest is not what it was when it was given out.
    #[error("{}: {source}; restore it", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Place and cause.
        source: Box<toml::de::Error>,
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

#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    lab: Option<About>,
}

impl Tree {
    /// The tree around `here`.
    pub(crate) fn around(here: &Path) -> Result<Self, TreeError> {
        let is_root =
            |folder: &&Path| folder.join("labs").is_dir() && folder.join("Cargo.toml").is_file();
        let root = here
            .ancestors()
            .find(is_root)
            .ok_or(TreeError::NoTree)?
            .to_owned();
        let labs = labs_in(&root.join("labs"))?;
        let solutions = root.join("solutions");
        let others = match solutions.is_dir() {
            true => labs_in(&solutions)?,
            false => Vec::new(),
        };
        if labs.is_empty() {
            return Err(TreeError::NoTree);
        }
        Ok(Self { root, labs, others })
    }

    /// The lab of this name.
    pub(crate) fn named(&self, name: &str) -> Result<&Lab, TreeError> {
        let mut all = self.labs.iter().chain(&self.others);
        all.find(|lab| lab.name == name)
            .ok_or_else(|| TreeError::Unknown {
                name: name.to_owned(),
                known: self
                    .labs
                    .iter()
                    .map(|lab| lab.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    /// The lab whose folder `here` is in, if it is in one.
    pub(crate) fn lab_at(&self, here: &Path) -> Option<&Lab> {
        let mut all = self.labs.iter().chain(&self.others);
        all.find(|lab| here.starts_with(&lab.folder))
    }
}

fn labs_in(folder: &Path) -> Result<Vec<Lab>, TreeError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        |source| TreeError::Read { path, source }
    };
    let mut labs = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let folder = entry.map_err(unreadable(folder))?.path();
        let path = folder.join("Cargo.toml");
        if !path.is_file() {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
        let manifest: Manifest = toml::from_str(&text).map_err(|source| TreeError::Manifest {
            path,
            source: Box::new(source),
        })?;
        if let Some(about) = manifest.package.metadata.and_then(|metadata| metadata.lab) {
            let name = manifest.package.name;
            labs.push(Lab {
                name,
                folder,
                about,
            });
        }
    }
    labs.sort_by_key(|lab| lab.about.order);
    Ok(labs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, order) in [("second", 2), ("first", 1)] {
            let lab = dir.path().join("labs").join(name);
            fs::create_dir_all(lab.join("src")).unwrap();
            let manifest = format!(
                "[package]\nname = \"{name}\"\n[package.metadata.lab]\ntitle = \"T\"\norder = {order}\n"
            );
            fs::write(lab.join("Cargo.toml"), manifest).unwrap();
        }
        fs::write(dir.path().join("Cargo.toml"), "[workspace]\n").unwrap();
        dir
    }

    #[test]
    fn labs_are_found_from_a_folder_inside_and_stand_in_teaching_order() {
        let dir = tree();
        let inside = dir.path().join("labs/second/src");
        let tree = Tree::around(&inside).unwrap();
        let names: Vec<&str> = tree.labs.iter().map(|lab| lab.name.as_str()).collect();
        assert_eq!(names, ["first", "second"]);
        assert_eq!(tree.lab_at(&inside).unwrap().name, "second");
        assert!(tree.lab_at(dir.path()).is_none());
    }

    #[test]
    fn an_unknown_lab_is_told_the_names_that_exist() {
        let dir = tree();
        let error = Tree::around(dir.path())
            .unwrap()
            .named("frist")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no lab `frist`; the labs are first, second"
        );
    }

    #[test]
    fn a_folder_without_labs_says_where_to_go() {
        let dir = tempfile::tempdir().unwrap();
        let error = Tree::around(dir.path()).unwrap_err();
        assert!(error.to_string().starts_with("no labs here"), "{error}");
    }
}
