//! Intake: which submissions there are, and which of their files count.
//!
//! A submission is a folder, a `.zip` or a `.tar.gz`, named after its submitter. Only regular
//! files `<lab>/src/*.rs` enter, read into memory and never unpacked to disk; everything else is
//! left out. Names that try to leave the archive refuse the whole submission.

mod archive;
mod folder;
mod place;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use place::Place;

/// Files by their path below the lab's folder: `src/lib.rs`.
pub type SourceTree = BTreeMap<String, Vec<u8>>;

/// One entry of the SUBMISSIONS folder, not yet opened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Submission {
    /// The submitter: the entry's name without the ending.
    pub id: String,
    /// Where it is.
    pub path: PathBuf,
}

/// What a submission brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    /// The files that count, by lab.
    pub labs: BTreeMap<String, SourceTree>,
    /// What was left out, in words for the feedback.
    pub notes: Vec<String>,
    /// Why the whole submission was refused.
    pub rejected: Option<String>,
}

/// Why the SUBMISSIONS folder cannot be graded at all.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// It is not there, or not readable.
    #[error("cannot read the submissions folder {path}: {error}")]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
    /// It holds no submission.
    #[error(
        "no submissions in {0}: expected one folder, .zip or .tar.gz for each submitter, holding \
         <lab>/src/*.rs"
    )]
    Empty(PathBuf),
    /// Two entries have the same submitter.
    #[error("two submissions are called {id}: {first} and {second}; rename or remove one of them")]
    SameName {
        /// The submitter.
        id: String,
        /// One entry.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

const ENDINGS: [&str; 3] = [".zip", ".tar.gz", ".tgz"];

/// The submissions in `folder`, ordered by id. Hidden entries are passed over.
///
/// # Errors
/// If the folder cannot be read, holds nothing, or two entries share a name.
pub(crate) fn submissions(folder: &Path) -> Result<Vec<Submission>, IntakeError> {
    let unreadable = |error| IntakeError::Unreadable {
        path: folder.into(),
        error,
    };
    let mut found: Vec<Submission> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with('.') {
            continue;
        }
        let ending = ENDINGS
            .iter()
            .find(|ending| path.is_file() && name.ends_with(**ending));
        let id = name
            .strip_suffix(ending.copied().unwrap_or_default())
            .unwrap_or(&name);
        found.push(Submission {
            id: id.to_owned(),
            path,
        });
    }
    found.sort();
    if let Some(pair) = found.windows(2).find(|pair| pair[0].id == pair[1].id) {
        return Err(IntakeError::SameName {
            id: pair[0].id.clone(),
            first: pair[0].path.clone(),
            second: pair[1].path.clone(),
        });
    }
    if found.is_empty() {
        return Err(IntakeError::Empty(folder.into()));
    }
    Ok(found)
}

/// Opens one submission and sorts its files. Whatever is wrong with it is part of the answer.
pub(crate) fn open(submission: &Submission, labs: &[&str]) -> Intake {
    let name = submission.path.to_string_lossy();
    let place = Place::new(labs);
    let entries = if submission.path.is_dir() {
        folder::read(&submission.path, &place)
    } else if name.ends_with(".zip") {
        archive::read_zip(&submission.path, &place)
    } else if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
        archive::read_tar_gz(&submission.path, &place)
    } else {
        Err(Refusal(
            "it is neither a folder nor a .zip or .tar.gz archive".into(),
        ))
    };
    match entries.and_then(|entries| sort(entries, &place)) {
        Ok(intake) => intake,
        Err(Refusal(reason)) => Intake {
            rejected: Some(reason),
            ..Intake::default()
        },
    }
}

/// Why a submission cannot be taken in, in words for its submitter.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal(String);

/// One regular file of a submission: its path, and its bytes if they count.
struct Entry {
    path: String,
    bytes: Option<Vec<u8>>,
}

/// Puts every entry into its lab.
fn sort(entries: Vec<Entry>, place: &Place) -> Result<Intake, Refusal> {
    if entries.is_empty() {
        return Err(Refusal("it holds no file".into()));
    }
    let mut intake = Intake::default();
    let mut left_out = Vec::new();
    let mut roots: BTreeMap<String, String> = BTreeMap::new();
    for Entry { path, bytes } in entries {
        let (Some(spot), Some(bytes)) = (place.of(&path), bytes) else {
            left_out.push(path);
            continue;
        };
        let root = roots
            .entry(spot.lab.clone())
            .or_insert_with(|| spot.root.clone());
        if *root != spot.root {
            return Err(Refusal(format!(
                "it holds the lab {} twice, in {root:?} and in {:?}",
                spot.lab, spot.root
            )));
        }
        let tree = intake.labs.entry(spot.lab.clone()).or_default();
        if tree.insert(spot.file, bytes).is_some() {
            return Err(Refusal(format!("it holds {path:?} twice")));
        }
    }
    if let Some(first) = left_out.first() {
        let more = match left_out.len() {
            1 => String::new(),
            n_files => format!(" and {} more", n_files - 1),
        };
        intake.notes.push(format!(
            "not graded, only <lab>/src/*.rs is: {first:?}{more}"
        ));
    }
    Ok(intake)
}

#[cfg(test)]
mod tests;
