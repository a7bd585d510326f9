//! `Cargo.lock` with only what some packages of it need.
//!
//! Students build with the versions that the staff tested, and read no name of a package that
//! they do not have. Knows the file's format, not where the packages are.

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{Array, ArrayOfTables, Item, Table, Value};

use crate::manifest::{Manifest, ManifestError};

/// The file's path in the repository and in the published tree.
pub(crate) const PATH: &str = "Cargo.lock";

/// A lock file and the names of the packages in it.
pub(crate) struct Lockfile {
    pub(crate) text: String,
    pub(crate) packages: BTreeSet<String>,
}

/// `text` without the packages that none of `roots` needs.
pub(crate) fn prune(text: &str, roots: &[&str]) -> Result<Lockfile, ManifestError> {
    let mut lock = Manifest::parse(PATH, text)?;
    let mut kept = BTreeSet::new();
    let packages = lock
        .document_mut()
        .get_mut("package")
        .and_then(Item::as_array_of_tables_mut);
    if let Some(packages) = packages {
        kept = reachable(packages, roots);
        packages.retain(|package| kept.contains(&id(package)));
        shorten_references(packages, &kept);
    }
    let packages = kept.into_iter().map(|(name, _)| name).collect();
    Ok(Lockfile {
        text: lock.document_mut().to_string(),
        packages,
    })
}

/// A package's name and version.
type Id = (String, String);

fn id(package: &Table) -> Id {
    let field = |key| {
        package
            .get(key)
            .and_then(Item::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    (field("name"), field("version"))
}

fn reachable(packages: &ArrayOfTables, roots: &[&str]) -> BTreeSet<Id> {
    let mut by_name: BTreeMap<String, Vec<&Table>> = BTreeMap::new();
    for package in packages {
        by_name.entry(id(package).0).or_default().push(package);
    }
    let mut found = BTreeSet::new();
    let mut wanted: Vec<String> = roots.iter().map(|name| (*name).to_owned()).collect();
    while let Some(reference) = wanted.pop() {
        // `name`, or `name version` where there are several, or `name version (source)`.
        let mut words = reference.split(' ');
        let name = words.next().unwrap_or_default();
        let version = words.next();
        for package in by_name.get(name).into_iter().flatten() {
            let id = id(package);
            if version.is_none_or(|version| version == id.1) && found.insert(id) {
                let dependencies = package.get("dependencies").and_then(Item::as_array);
                let names = dependencies
                    .into_iter()
                    .flatten()
                    .filter_map(|name| name.as_str());
                wanted.extend(names.map(str::to_owned));
            }
        }
    }
    found
}

/// Drops the version from references to packages that now are the only ones of their name: cargo
/// writes it so, and under `--locked` refuses a file that it would write otherwise.
fn shorten_references(packages: &mut ArrayOfTables, kept: &BTreeSet<Id>) {
    for package in packages.iter_mut() {
        let dependencies = package.get_mut("dependencies").and_then(Item::as_array_mut);
        for reference in dependencies.into_iter().flat_map(Array::iter_mut) {
            let text = reference.as_str().unwrap_or_default();
            let Some((name, _)) = text.split_once(' ') else {
                continue;
            };
            if kept.iter().filter(|(kept, _)| kept == name).count() == 1 {
                let decor = reference.decor().clone();
                *reference = Value::from(name);
                *reference.decor_mut() = decor;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, dependencies: &str) -> String {
        format!(
            "\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\ndependencies = \
             [{dependencies}]\n"
        )
    }

    #[test]
    fn packages_that_no_root_needs_are_dropped() {
        let head = "# Made by cargo.\nversion = 4\n".to_owned();
        let lab = package("lab", "0.1.0", "\"dep 2.0.0\", \"plain\"");
        let dep1 = package("dep", "1.0.0", "");
        let dep2 = package("dep", "2.0.0", "");
        let hidden = package("hidden", "0.1.0", "\"dep 1.0.0\", \"lab\"");
        let plain = package("plain", "3.0.0", "\"lab\"");
        let text = [&head, &lab, &dep1, &dep2, &hidden, &plain]
            .map(String::as_str)
            .concat();

        let lock = prune(&text, &["lab"]).unwrap();
        let short = package("lab", "0.1.0", "\"dep\", \"plain\"");
        assert_eq!(
            lock.text,
            [&head, &short, &dep2, &plain].map(String::as_str).concat()
        );
        assert_eq!(Vec::from_iter(lock.packages), ["dep", "lab", "plain"]);

        let whole = prune(&text, &["hidden"]).unwrap();
        assert_eq!(whole.text, text);
    }
}
