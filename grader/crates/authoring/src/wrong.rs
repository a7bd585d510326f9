//! Wrong solutions: what a student would really get wrong, kept as a patch beside the hidden
//! tests, with the tests that must catch it.
//!
//! A patch file begins with header lines and goes on with a unified diff, as `diff -u` and
//! `git diff` write it, against the files of the solution:
//!
//! ```text
//! WHY: a short read is taken as the end of the stream
//! CAUGHT-BY: dribbled_input_arrives_whole, records_survive_any_chunking
//! PHRASE: the output is shorter than the input
//! --- a/src/lib.rs
//! +++ b/src/lib.rs
//! @@ -10,3 +10,3 @@
//! …
//! ```
//!
//! `BY-CHANCE:` names tests that may notice it or not, because it is a race and they do not hold
//! anybody back: those in `CAUGHT-BY` always do.
//!
//! Context lines must match exactly; line numbers may be off, so that an edit above a hunk does
//! not break every patch. This module does not know whether the result compiles or is caught.

use std::path::Path;

use diffy::patch_set::{FileOperation, ParseOptions, PatchSet, PatchSetParseError};
use thiserror::Error;

use crate::lab::Sources;
use crate::tree::{self, TreeError};

/// A wrong solution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongSolution {
    /// The patch file's name without `.patch`.
    pub name: String,
    /// The mistake, in one line.
    pub why: String,
    /// The ids of the hidden tests that must fail; never empty.
    pub caught_by: Vec<String>,
    /// The ids of those that may fail. Every other test must pass.
    pub by_chance: Vec<String>,
    /// Words that the first of those tests must say, if the patch asks for any.
    pub phrase: Option<String>,
    /// The unified diff against the solution's files.
    pub patch: String,
}

/// What is wrong with a patch file. Every message names the patch.
#[derive(Debug, Error)]
pub enum WrongError {
    /// The folder or a file in it cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A header line has no known key.
    #[error(
        "{patch}: `{line}` is neither WHY, CAUGHT-BY, BY-CHANCE nor PHRASE, nor the start of the diff"
    )]
    Header {
        /// The patch.
        patch: String,
        /// The line.
        line: String,
    },
    /// A header line is there twice.
    #[error("{patch}: a second line {key}")]
    Repeated {
        /// The patch.
        patch: String,
        /// The line's key.
        key: String,
    },
    /// A header line that must be there is not, or is empty.
    #[error("{patch}: the line {key} is missing or empty")]
    Lacks {
        /// The patch.
        patch: String,
        /// The line's key.
        key: &'static str,
    },
    /// The diff is not a unified diff.
    #[error("{patch}: {source}")]
    Diff {
        /// The patch.
        patch: String,
        /// Place and cause.
        source: PatchSetParseError,
    },
    /// The diff does something else than change a file.
    #[error("{patch}: a wrong solution only changes files, from a/src/... to b/src/...")]
    NotAChange {
        /// The patch.
        patch: String,
    },
    /// The diff names a file that the solution does not have.
    #[error("{patch}: the solution has no file {file}; paths read a/src/lib.rs and b/src/lib.rs")]
    NoSuchFile {
        /// The patch.
        patch: String,
        /// The file that the diff names.
        file: String,
    },
    /// The lines around a change are not in the file.
    #[error("{patch}: hunk {hunk} does not match {file}; make the patch again")]
    Hunk {
        /// The patch.
        patch: String,
        /// The file.
        file: String,
        /// The hunk within the file's part of the diff, counted from 1.
        hunk: usize,
    },
}

/// The wrong solutions in the folder `dir` (`grader/labs/<lab>/wrong`), by name. A folder that is
/// not there holds none.
///
/// # Errors
/// A file that cannot be read, or a patch whose header is not as it should be.
pub fn read_dir(dir: &Path) -> Result<Vec<WrongSolution>, WrongError> {
    if !tree::exists(dir)? {
        return Ok(Vec::new());
    }
    let files = tree::read_all(dir)?;
    let patches = files
        .keys()
        .filter_map(|path| path.strip_suffix(".patch").map(|n| (n, path)));
    patches
        .map(|(name, path)| WrongSolution::parse(name, tree::text(&files, path)?))
        .collect()
}

fn ids(line: Option<String>) -> Vec<String> {
    let line = line.unwrap_or_default();
    let ids = line.split(',').map(str::trim);
    ids.filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

impl WrongSolution {
    /// Parses a patch file's text; `name` is the file's name without `.patch`.
    ///
    /// # Errors
    /// An unknown, repeated or missing header line, or no diff.
    pub fn parse(name: &str, text: &str) -> Result<Self, WrongError> {
        let (mut why, mut caught_by, mut by_chance, mut phrase) = (None, None, None, None);
        let mut rest = text;
        while let Some(line) = rest.lines().next() {
            if ["--- ", "diff "]
                .iter()
                .any(|start| line.starts_with(start))
            {
                break;
            }
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
            if line.trim().is_empty() {
                continue;
            }
            let (key, value) = line.split_once(':').unwrap_or((line, ""));
            let slot = match key {
                "WHY" => &mut why,
                "CAUGHT-BY" => &mut caught_by,
                "BY-CHANCE" => &mut by_chance,
                "PHRASE" => &mut phrase,
                _ => {
                    let (patch, line) = (name.to_owned(), line.to_owned());
                    return Err(WrongError::Header { patch, line });
                }
            };
            if slot.replace(value.trim().to_owned()).is_some() {
                let (patch, key) = (name.to_owned(), key.to_owned());
                return Err(WrongError::Repeated { patch, key });
            }
        }
        let lacks = |key| WrongError::Lacks {
            patch: name.to_owned(),
            key,
        };
        let wrong = Self {
            name: name.to_owned(),
            why: why
                .filter(|why| !why.is_empty())
                .ok_or_else(|| lacks("WHY"))?,
            caught_by: ids(caught_by),
            by_chance: ids(by_chance),
            phrase,
            patch: rest.to_owned(),
        };
        if wrong.caught_by.is_empty() {
            return Err(lacks("CAUGHT-BY"));
        }
        wrong.files()?;
        Ok(wrong)
    }

    /// `sources` of the solution with the mistake made in them.
    ///
    /// # Errors
    /// A file that the solution does not have, or a hunk that does not match.
    pub fn apply(&self, sources: &Sources) -> Result<Sources, WrongError> {
        let mut out = sources.clone();
        for (file, patch) in self.files()? {
            let text = out.get_mut(&file).ok_or_else(|| WrongError::NoSuchFile {
                patch: self.name.clone(),
                file: file.clone(),
            })?;
            *text = diffy::apply(text, &patch).map_err(|_| WrongError::Hunk {
                patch: self.name.clone(),
                hunk: first_hunk_that_fails(text, &patch),
                file,
            })?;
        }
        Ok(out)
    }

    /// The files that the diff changes, with what it does to each.
    fn files(&self) -> Result<Vec<(String, diffy::Patch<'_, str>)>, WrongError> {
        let mut files = Vec::new();
        for file in PatchSet::parse(&self.patch, ParseOptions::unidiff()) {
            let file = file.map_err(|source| WrongError::Diff {
                patch: self.name.clone(),
                source,
            })?;
            let not_a_change = || WrongError::NotAChange {
                patch: self.name.clone(),
            };
            let path = match file.operation().strip_prefix(1) {
                FileOperation::Modify { original, modified } if original == modified => {
                    original.into_owned()
                }
                _ => return Err(not_a_change()),
            };
            match file.into_patch() {
                diffy::patch_set::PatchKind::Text(patch) => files.push((path, patch)),
                diffy::patch_set::PatchKind::Binary(_) => return Err(not_a_change()),
            }
        }
        Ok(files)
    }
}

/// The number of the first hunk of `patch` that matches nowhere in `text`; the last hunk's when
/// each matches alone but two of them want the same lines.
fn first_hunk_that_fails(text: &str, patch: &diffy::Patch<'_, str>) -> usize {
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let matches = |hunk: &diffy::Hunk<'_, str>| {
        let wanted: Vec<_> = hunk
            .lines()
            .iter()
            .filter_map(|line| match line {
                diffy::Line::Context(line) | diffy::Line::Delete(line) => Some(*line),
                diffy::Line::Insert(_) => None,
            })
            .collect();
        wanted.is_empty() || lines.windows(wanted.len()).any(|there| there == wanted)
    };
    let hunks = patch.hunks();
    hunks
        .iter()
        .position(|hunk| !matches(hunk))
        .map_or(hunks.len(), |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "WHY: b is forgotten\nCAUGHT-BY: one_test, another_test\n";
    const DIFF: &str = "--- a/src/lib.rs\t2026-01-01 00:00:00\n+++ b/src/lib.rs\t2026-01-01 \
                        00:00:01\n@@ -1,3 +1,2 @@\n a\n-b\n c\n";

    fn sources(lib: &str) -> Sources {
        Sources::from([
            ("src/lib.rs".to_owned(), lib.to_owned()),
            ("src/main.rs".to_owned(), "main\n".to_owned()),
        ])
    }

    fn wrong(text: &str) -> WrongSolution {
        WrongSolution::parse("m1_forgets", text).unwrap()
    }

    fn refused(text: &str) -> String {
        WrongSolution::parse("m1_forgets", text)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_patch_says_why_and_who_catches_it() {
        let wrong = wrong(&format!("{HEADER}PHRASE: too short: b\n\n{DIFF}"));
        assert_eq!(wrong.name, "m1_forgets");
        assert_eq!(wrong.why, "b is forgotten");
        assert_eq!(wrong.caught_by, ["one_test", "another_test"]);
        assert_eq!(wrong.phrase.as_deref(), Some("too short: b"));
    }

    #[test]
    fn a_patch_applies_also_where_lines_moved() {
        let wrong = wrong(&format!("{HEADER}{DIFF}"));
        assert_eq!(
            wrong.apply(&sources("a\nb\nc\n")).unwrap(),
            sources("a\nc\n")
        );
        assert_eq!(
            wrong.apply(&sources("x\ny\na\nb\nc\nz\n")).unwrap(),
            sources("x\ny\na\nc\nz\n")
        );
    }

    #[test]
    fn git_writes_patches_too_and_of_several_files() {
        let text = format!(
            "{HEADER}diff --git a/src/lib.rs b/src/lib.rs\nindex 1..2 100644\n--- a/src/lib.rs\n\
             +++ b/src/lib.rs\n@@ -1,3 +1,2 @@ fn f\n a\n-b\n c\n\
             diff --git a/src/main.rs b/src/main.rs\nindex 1..2 100644\n--- a/src/main.rs\n\
             +++ b/src/main.rs\n@@ -1 +1 @@\n-main\n+wrong\n"
        );
        let out = wrong(&text).apply(&sources("a\nb\nc\n")).unwrap();
        assert_eq!(out["src/lib.rs"], "a\nc\n");
        assert_eq!(out["src/main.rs"], "wrong\n");
    }

    #[test]
    fn a_hunk_that_does_not_match_exactly_is_named() {
        let diff = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1,2 +1,1 @@\n a\n-b\n@@ -9,2 +8,1 \
                    @@\n x\n-y\n";
        let wrong = wrong(&format!("{HEADER}{diff}"));
        let error = wrong
            .apply(&sources("a\nb\nx\n y\n"))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "m1_forgets: hunk 2 does not match src/lib.rs; make the patch again"
        );
    }

    #[test]
    fn a_file_that_the_solution_lacks_is_named() {
        let wrong = wrong(&format!(
            "{HEADER}{}",
            DIFF.replace("src/lib.rs", "src/gone.rs")
        ));
        let error = wrong.apply(&sources("a\nb\nc\n")).unwrap_err().to_string();
        assert!(
            error.starts_with("m1_forgets: the solution has no file src/gone.rs"),
            "{error}"
        );
    }

    #[test]
    fn headers_that_are_missing_unknown_or_repeated_are_refused() {
        assert!(refused(&format!("CAUGHT-BY: x\n{DIFF}")).contains("WHY is missing"));
        assert!(refused(&format!("WHY: x\n{DIFF}")).contains("CAUGHT-BY is missing"));
        assert!(refused(&format!("WHY: x\nCAUGHT-BY: ,\n{DIFF}")).contains("CAUGHT-BY is missing"));
        assert!(refused(&format!("{HEADER}WHO: me\n{DIFF}")).contains("`WHO: me`"));
        assert!(refused(&format!("{HEADER}WHY: y\n{DIFF}")).contains("a second line WHY"));
    }

    #[test]
    fn a_patch_without_a_diff_or_that_adds_a_file_is_refused() {
        assert!(refused(HEADER).contains("m1_forgets: "));
        let adds = "--- /dev/null\n+++ b/src/new.rs\n@@ -0,0 +1 @@\n+a\n";
        assert!(refused(&format!("{HEADER}{adds}")).contains("only changes files"));
    }

    #[test]
    fn a_folder_gives_its_patches_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("{HEADER}{DIFF}").into_bytes();
        let files = ["b.patch", "a.patch", "README.md"].map(|name| (name.to_owned(), text.clone()));
        tree::write(dir.path(), &files.into()).unwrap();
        let names: Vec<_> = read_dir(dir.path())
            .unwrap()
            .into_iter()
            .map(|wrong| wrong.name)
            .collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(read_dir(&dir.path().join("nowhere")).unwrap(), []);
    }
}
