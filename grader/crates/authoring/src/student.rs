//! One lab as students get it: its folder with stubs, and, once the lab is closed, the solution's
//! folder with answers and without markers.
//!
//! Only the manifest, `src/**/*.rs`, `tests/public.rs` and the handout leave the solution; any
//! other file stays with the staff. Knows nothing of the tree around the lab.

use thiserror::Error;

use crate::lab::{Lab, Sources};
use crate::manifest::{Manifest, ManifestError};
use crate::markers::{self, MarkerError, Syntax};
use crate::names;
use crate::tree::{self, Tree, TreeError};

/// Why a lab's folder could not be made.
#[derive(Debug, Error)]
pub enum StudentError {
    /// A file of the solution is missing or not text.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The solution's manifest is not TOML.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A marker is broken.
    #[error(transparent)]
    Marker(#[from] MarkerError),
}

/// What becomes of one file of the solution.
#[derive(Clone, Copy)]
enum Role {
    Manifest,
    /// Code: stubs or solutions, and another name for the crate.
    Rust,
    Handout,
}

fn role(path: &str) -> Option<Role> {
    match path {
        "Cargo.toml" => Some(Role::Manifest),
        "README.md" => Some(Role::Handout),
        "tests/public.rs" => Some(Role::Rust),
        _ if path.starts_with("src/") && path.ends_with(".rs") => Some(Role::Rust),
        _ => None,
    }
}

/// The folder `labs/<lab>`: paths in it to bytes.
///
/// # Errors
/// A marker is broken, or a file is not what it must be.
pub fn folder(repo: &Tree, lab: &Lab) -> Result<Tree, StudentError> {
    published_files(repo, lab, |role, path, text| {
        Ok(match role {
            Role::Manifest => Manifest::parse(path, text)?.for_students(&lab.name),
            Role::Rust => stub(lab, path, text)?,
            Role::Handout => markers::stub(path, Syntax::Markdown, text)?,
        })
    })
}

/// The folder `solutions/<lab>` of a closed lab: as the staff's, without markers and without the
/// files that are not published.
///
/// # Errors
/// As [`folder`].
pub fn solution_folder(repo: &Tree, lab: &Lab) -> Result<Tree, StudentError> {
    published_files(repo, lab, |role, path, text| {
        Ok(match role {
            Role::Manifest => text.to_owned(),
            Role::Rust => markers::solution(path, Syntax::Rust, text)?,
            Role::Handout => markers::solution(path, Syntax::Markdown, text)?,
        })
    })
}

fn published_files(
    repo: &Tree,
    lab: &Lab,
    convert: impl Fn(Role, &str, &str) -> Result<String, StudentError>,
) -> Result<Tree, StudentError> {
    let mut out = Tree::new();
    for (path, _) in tree::under(repo, &lab.dir) {
        let name = &path[lab.dir.len() + 1..];
        if let Some(role) = role(name) {
            let text = convert(role, path, tree::text(repo, path)?)?;
            out.insert(name.to_owned(), text.into_bytes());
        }
    }
    Ok(out)
}

/// The sources of an untouched submission: `sources` of the solution turned into stubs.
///
/// # Errors
/// A marker is broken.
pub fn stubs(lab: &Lab, sources: &Sources) -> Result<Sources, MarkerError> {
    map(lab, sources, stub)
}

/// The sources of a complete submission: `sources` of the solution, or of a wrong one, without
/// markers and under the lab's name.
///
/// # Errors
/// A marker is broken.
pub fn complete(lab: &Lab, sources: &Sources) -> Result<Sources, MarkerError> {
    map(lab, sources, |lab, path, text| {
        let text = markers::solution(path, Syntax::Rust, text)?;
        Ok(names::for_students(&lab.name, &text))
    })
}

fn map(
    lab: &Lab,
    sources: &Sources,
    convert: impl Fn(&Lab, &str, &str) -> Result<String, MarkerError>,
) -> Result<Sources, MarkerError> {
    let convert = |(name, text): (&String, &String)| {
        Ok((
            name.clone(),
            convert(lab, &format!("{}/{name}", lab.dir), text)?,
        ))
    };
    sources.iter().map(convert).collect()
}

fn stub(lab: &Lab, path: &str, text: &str) -> Result<String, MarkerError> {
    Ok(names::for_students(
        &lab.name,
        &markers::stub(path, Syntax::Rust, text)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: &str = "/// One.\npub fn one() -> u8 {\n    // SOLUTION todo!(\"part 1\")\n    1\n    \
                       // END SOLUTION\n}\n";
    const README: &str = "# A\n<!-- SOLUTION -->\nYes.\n<!-- END SOLUTION -->\n";

    fn lab() -> Lab {
        Lab {
            name: "a-b".to_owned(),
            title: "A".to_owned(),
            order: 1,
            editable: vec!["src/lib.rs".to_owned()],
            dir: "solutions/a-b".to_owned(),
            dependencies: Vec::new(),
        }
    }

    fn repository() -> Tree {
        let files = [
            ("Cargo.toml", "[package]\nname = \"a-b-solution\"\n"),
            ("README.md", README),
            ("src/lib.rs", LIB),
            ("src/main.rs", "use a_b_solution::one;\n"),
            ("tests/public.rs", "a_b_solution::one();\n"),
            ("tests/transcripts.rs", ""),
            ("notes.txt", ""),
        ];
        let path = |name| format!("solutions/a-b/{name}");
        files
            .iter()
            .map(|(name, text)| (path(name), text.as_bytes().to_vec()))
            .collect()
    }

    fn texts(tree: &Tree) -> Vec<(&str, &str)> {
        tree.keys()
            .map(|path| (path.as_str(), tree::text(tree, path).unwrap()))
            .collect()
    }

    #[test]
    fn students_get_stubs_under_the_name_of_the_lab_and_nothing_else() {
        assert_eq!(
            texts(&folder(&repository(), &lab()).unwrap()),
            [
                (
                    "Cargo.toml",
                    "# Generated from solutions/a-b by `cargo lab publish`.\n[package]\nname = \
                     \"a-b\"\n"
                ),
                ("README.md", "# A\n"),
                (
                    "src/lib.rs",
                    "/// One.\npub fn one() -> u8 {\n    todo!(\"part 1\")\n}\n"
                ),
                ("src/main.rs", "use a_b::one;\n"),
                ("tests/public.rs", "a_b::one();\n"),
            ]
        );
    }

    #[test]
    fn a_closed_lab_shows_solution_and_answers_without_markers() {
        assert_eq!(
            texts(&solution_folder(&repository(), &lab()).unwrap()),
            [
                ("Cargo.toml", "[package]\nname = \"a-b-solution\"\n"),
                ("README.md", "# A\nYes.\n"),
                ("src/lib.rs", "/// One.\npub fn one() -> u8 {\n    1\n}\n"),
                ("src/main.rs", "use a_b_solution::one;\n"),
                ("tests/public.rs", "a_b_solution::one();\n"),
            ]
        );
    }

    #[test]
    fn sources_become_an_untouched_or_a_complete_submission() {
        let sources = Sources::from([
            ("src/lib.rs".to_owned(), LIB.to_owned()),
            (
                "src/main.rs".to_owned(),
                "use a_b_solution::one;\n".to_owned(),
            ),
        ]);
        let untouched = stubs(&lab(), &sources).unwrap();
        let complete = complete(&lab(), &sources).unwrap();
        assert!(untouched["src/lib.rs"].contains("todo!"));
        assert!(complete["src/lib.rs"].contains("    1\n"));
        assert!(!complete["src/lib.rs"].contains("SOLUTION"));
        assert_eq!(complete["src/main.rs"], "use a_b::one;\n");
    }
}
