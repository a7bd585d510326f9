//! One package's `Cargo.toml`: what it says of the lab and of its dependencies, and how it reads
//! in the student's copy.
//!
//! Knows the file's shape only; where the package lies and whether it builds is for others.

use std::collections::BTreeSet;

use thiserror::Error;
use toml_edit::{DocumentMut, Item, TableLike, value};

use crate::names;

/// A `Cargo.toml` that cannot be read.
#[derive(Debug, Error)]
#[error("{path}: {source}")]
pub struct ManifestError {
    /// The file's path in the repository.
    pub path: String,
    /// Place and cause.
    pub source: toml_edit::TomlError,
}

/// A parsed `Cargo.toml` that keeps its comments and layout.
#[derive(Debug, Clone)]
pub(crate) struct Manifest(DocumentMut);

impl Manifest {
    /// Parses `text`; `path` is only used to name the file in an error.
    pub(crate) fn parse(path: &str, text: &str) -> Result<Self, ManifestError> {
        let parsed = text.parse::<DocumentMut>();
        parsed.map(Self).map_err(|source| ManifestError {
            path: path.to_owned(),
            source,
        })
    }

    /// The item at `keys`, one key a level.
    pub(crate) fn get(&self, keys: &[&str]) -> Option<&Item> {
        keys.iter()
            .try_fold(self.0.as_item(), |item, key| item.get(key))
    }

    /// The document, to edit.
    pub(crate) fn document_mut(&mut self) -> &mut DocumentMut {
        &mut self.0
    }

    /// The package's name.
    pub(crate) fn package(&self) -> Option<&str> {
        self.get(&["package", "name"])?.as_str()
    }

    /// The keys of `[dependencies]`, sorted.
    pub(crate) fn dependencies(&self) -> Vec<String> {
        let table = self.get(&["dependencies"]).and_then(Item::as_table_like);
        let mut names: Vec<_> = table.into_iter().flat_map(keys).collect();
        names.sort();
        names
    }

    /// The dependencies of any kind that are taken from the workspace's table.
    pub(crate) fn inherited(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        collect_dependencies(self.0.as_table(), &mut found);
        let targets = self.get(&["target"]).and_then(Item::as_table_like);
        for (_, target) in targets.into_iter().flat_map(TableLike::iter) {
            if let Some(target) = target.as_table_like() {
                collect_dependencies(target, &mut found);
            }
        }
        found
    }

    /// The text without integration tests and benchmarks, whose files are not published.
    pub(crate) fn without_tests(mut self) -> String {
        for section in ["test", "bench"] {
            self.0.remove(section);
        }
        self.0.to_string()
    }

    /// The text of a lab's manifest for students: package and programs named after the lab.
    pub(crate) fn for_students(mut self, lab: &str) -> String {
        if let Some(package) = self.0.get_mut("package").and_then(Item::as_table_like_mut) {
            package.insert("name", value(lab));
        }
        for section in ["bin", "test", "example"] {
            let tables = self
                .0
                .get_mut(section)
                .and_then(Item::as_array_of_tables_mut);
            for table in tables
                .into_iter()
                .flat_map(toml_edit::ArrayOfTables::iter_mut)
            {
                if let Some(name) = table.get("name").and_then(Item::as_str) {
                    let name = names::for_students(lab, name);
                    table.insert("name", value(name));
                }
            }
        }
        let header = format!("# Generated from solutions/{lab} by `cargo lab publish`.\n");
        header + &self.0.to_string()
    }
}

fn keys(table: &dyn TableLike) -> Vec<String> {
    table.iter().map(|(key, _)| key.to_owned()).collect()
}

fn collect_dependencies(table: &dyn TableLike, found: &mut BTreeSet<String>) {
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let dependencies = table.get(section).and_then(Item::as_table_like);
        for (name, item) in dependencies.into_iter().flat_map(TableLike::iter) {
            let workspace = item.get("workspace").and_then(Item::as_bool);
            if workspace == Some(true) {
                found.insert(name.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[package]\nname = \"pipes-solution\" # note\n\n[package.metadata.lab]\n\
                        order = 1\n\n[dependencies]\nnix.workspace = true\nlibc = \"0.2\"\n\n\
                        [dev-dependencies]\ncoach = { workspace = true }\n\n\
                        [target.'cfg(unix)'.dependencies]\nmemmap2.workspace = true\n\n\
                        [[bin]]\nname = \"pipes-solution\"\npath = \"src/main.rs\"\n";

    #[test]
    fn the_students_manifest_is_named_after_the_lab_and_keeps_the_rest() {
        let text = Manifest::parse("Cargo.toml", TEXT)
            .unwrap()
            .for_students("pipes");
        let (first, rest) = text.split_once('\n').unwrap();
        assert_eq!(
            first,
            "# Generated from solutions/pipes by `cargo lab publish`."
        );
        let expected = TEXT
            .replace("pipes-solution", "pipes")
            .replace(" # note", "");
        assert_eq!(rest, expected);
    }

    #[test]
    fn dependencies_of_every_kind_are_found() {
        let manifest = Manifest::parse("Cargo.toml", TEXT).unwrap();
        assert_eq!(manifest.dependencies(), ["libc", "nix"]);
        assert_eq!(
            Vec::from_iter(manifest.inherited()),
            ["coach", "memmap2", "nix"]
        );
    }

    #[test]
    fn a_file_that_is_not_toml_is_named() {
        let error = Manifest::parse("solutions/a/Cargo.toml", "[package").unwrap_err();
        assert!(
            error.to_string().starts_with("solutions/a/Cargo.toml: "),
            "{error}"
        );
    }
}
