//! The corpus: what each folder of `grader/attacks` hands in, and what must come of it.
//!
//! A case is a folder with `attack.toml` and, unless it is an archive, the module `attack.rs`,
//! which is added to the lab's stub or reference. It knows nothing of running anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use model::Outcome;
use sandbox::Level;
use serde::Deserialize;

use super::archive::{self, Archive};
use crate::SourceTree;

/// One hostile submission.
#[derive(Clone, Debug)]
pub struct Attack {
    /// Its folder's name.
    pub name: String,
    /// What it is and what must come of it.
    pub recipe: Recipe,
    /// The attack's own module, with places for what only a run knows.
    module: Option<String>,
    /// What all attacks share, as a module beside it.
    kit: String,
}

/// `attack.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// What is tried, in one line.
    pub why: String,
    /// The row of the threat model that it belongs to.
    pub row: String,
    /// The lab it is handed in for.
    #[serde(default = "pipes")]
    pub lab: String,
    /// What the attack is added to.
    #[serde(default)]
    pub base: Base,
    /// Hidden tests to run, should it come that far.
    #[serde(default = "a_quick_test")]
    pub tests: Vec<String>,
    /// How each of them may end; `rejected` and `build_error` before that.
    pub outcome: BTreeSet<Outcome>,
    /// Words that the feedback must hold.
    #[serde(default)]
    pub says: Option<String>,
    /// Levels that promise to hold it, as letters.
    #[serde(default = "all_levels")]
    pub promised: String,
    /// Whether it does no harm without a box, so that it can show there that it would succeed.
    #[serde(default)]
    pub control: bool,
    /// Files as they are handed in, instead of a module.
    #[serde(default)]
    pub archive: Option<Archive>,
}

/// What an attack's module is added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// The untouched stub: not a point is deserved.
    #[default]
    Stub,
    /// The reference solution: the work is done, and must count in spite of the attack.
    Solution,
}

fn pipes() -> String {
    "pipes".into()
}

fn a_quick_test() -> Vec<String> {
    vec!["an_end_inside_a_record_is_bad_data".into()]
}

fn all_levels() -> String {
    "ABCDE".into()
}

impl Recipe {
    /// Whether this level promises that the attack holds.
    pub(super) fn is_promised_on(&self, level: Level) -> bool {
        self.promised.contains(&level.to_string())
    }
}

/// Why the corpus cannot be used: a mistake of ours.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct CorpusError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

pub(super) fn wrong(path: &Path) -> impl Fn(&dyn std::fmt::Display) -> CorpusError {
    let path = path.to_owned();
    move |reason| CorpusError {
        path: path.clone(),
        reason: reason.to_string(),
    }
}

/// All attacks of `folder`, by name.
pub(super) fn read(folder: &Path) -> Result<Vec<Attack>, CorpusError> {
    let text = |path: &Path| fs::read_to_string(path).map_err(|error| wrong(path)(&error));
    let kit = text(&folder.join("kit.rs"))?;
    let mut attacks = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| wrong(folder)(&error))? {
        let folder = entry.map_err(|error| wrong(folder)(&error))?.path();
        if !folder.is_dir() {
            continue;
        }
        let file = folder.join("attack.toml");
        let recipe: Recipe = toml::from_str(&text(&file)?).map_err(|error| wrong(&file)(&error))?;
        let module = folder.join("attack.rs");
        let module = match recipe.archive {
            Some(_) => None,
            None => Some(text(&module)?),
        };
        let name = folder.file_name().unwrap_or_default();
        attacks.push(Attack {
            name: name.to_string_lossy().into_owned(),
            recipe,
            module,
            kit: kit.clone(),
        });
    }
    attacks.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(attacks)
}

/// What stands between at signs in an attack: `@MARK@`.
pub(super) type Values = BTreeMap<&'static str, String>;

impl Attack {
    /// Writes the submission below `folder`, and says where it is. `honest` is the base.
    pub(super) fn hand_in(
        &self,
        folder: &Path,
        honest: &SourceTree,
        values: &Values,
    ) -> Result<PathBuf, CorpusError> {
        if let Some(recipe) = &self.recipe.archive {
            return archive::write(recipe, &self.name, folder, honest, values);
        }
        let submission = folder.join(&self.name);
        let src = submission.join(&self.recipe.lab).join("src");
        let put = |path: &Path, bytes: &[u8]| {
            let at = path.parent().unwrap_or(path);
            fs::create_dir_all(at).map_err(|error| wrong(at)(&error))?;
            fs::write(path, bytes).map_err(|error| wrong(path)(&error))
        };
        for (file, bytes) in honest {
            put(&submission.join(&self.recipe.lab).join(file), bytes)?;
        }
        let lib = honest.get("src/lib.rs").map_or(&b""[..], Vec::as_slice);
        let lib = format!(
            "{}\n#[macro_use]\nmod kit;\nmod attack;\n",
            String::from_utf8_lossy(lib)
        );
        put(&src.join("lib.rs"), lib.as_bytes())?;
        put(&src.join("kit.rs"), filled(&self.kit, values).as_bytes())?;
        let module = filled(self.module.as_deref().unwrap_or_default(), values);
        put(&src.join("attack.rs"), repeated(&module).as_bytes())?;
        Ok(submission)
    }
}

/// The text with every `@NAME@` replaced.
pub(super) fn filled(text: &str, values: &Values) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("@{name}@"), value)
    })
}

/// Lines `//@ N TEXT` become TEXT, N times on one line: nobody reads 200 000 parentheses.
fn repeated(text: &str) -> String {
    let line = |line: &str| {
        let rule = line.trim_start().strip_prefix("//@ ");
        let rule = rule.and_then(|rule| rule.split_once(' '));
        match rule.and_then(|(times, text)| Some((times.parse().ok()?, text))) {
            Some((times, text)) => text.repeat(times),
            None => line.to_owned(),
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_marked_lines_repeated() {
        let values = Values::from([("MARK", "m1".to_owned())]);
        assert_eq!(
            repeated(&filled("a @MARK@\n//@ 3 ()\n", &values)),
            "a m1\n()()()\n"
        );
    }
}
