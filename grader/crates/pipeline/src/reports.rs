//! Puts the reports into the RUN folder: bytes are made by `report`, here they reach the disk.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use model::{Gradebook, Record};
use report::{BoxUse, Page};
use sandbox::Level;

use crate::gradebook::seats;

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The disk said no.
    #[error("cannot write {path}: {error}; the journal is whole, so give the same command again")]
    Disk {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
}

/// Writes `results.json`, `grades.csv`, `report.html` and `feedback/<submission>.md`.
///
/// # Errors
/// If one of them cannot be written. Each file is either the old one or the new one, whole.
pub(crate) fn write_reports(
    run: &Path,
    records: &[Record],
    gradebook: &Gradebook,
) -> Result<(), ReportError> {
    replace(&run.join("results.json"), &report::results_json(gradebook))?;
    replace(&run.join("grades.csv"), &report::grades_csv(gradebook))?;
    replace(&run.join("report.html"), &page(records, gradebook))?;
    let feedback = run.join("feedback");
    for submission in &gradebook.submissions {
        let path = feedback.join(format!("{}.md", submission.id));
        replace(&path, &report::feedback(submission))?;
    }
    Ok(())
}

/// `report.html`, with the evidence that the marks were made from.
pub(crate) fn page(records: &[Record], gradebook: &Gradebook) -> Vec<u8> {
    let seats = seats(records);
    let mut evidence = BTreeMap::new();
    let mut levels: BTreeMap<&str, usize> = BTreeMap::new();
    for ((submission, lab), seat) in &seats {
        for (test, (_, seen)) in &seat.tests {
            if let Some(seen) = seen {
                evidence.insert((*submission, *lab, *test), *seen);
                *levels.entry(&seen.isolation).or_default() += 1;
            }
        }
    }
    let mut boxes: Vec<BoxUse> = levels.into_iter().map(box_use).collect();
    boxes.sort_by_key(|level| std::cmp::Reverse(level.n_tests));
    report::html(&Page {
        gradebook,
        evidence,
        boxes,
    })
}

fn box_use((level, n_tests): (&str, usize)) -> BoxUse {
    let known: Option<Level> = level.parse().ok();
    let missing = known.iter().flat_map(|level| level.not_promised());
    BoxUse {
        level: level.to_owned(),
        description: known.map_or("an unknown level", Level::describe).to_owned(),
        not_promised: missing.map(|&text| text.to_owned()).collect(),
        n_tests,
    }
}

/// Writes one file so that it is either the old one or the new one, whole. Its folder is created.
///
/// # Errors
/// If the disk says no.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(disk(folder))?;
    let mut new = tempfile::NamedTempFile::new_in(folder).map_err(disk(path))?;
    io::Write::write_all(&mut new, bytes).map_err(disk(path))?;
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    new.as_file()
        .set_permissions(readable)
        .map_err(disk(path))?;
    new.persist(path).map_err(|error| disk(path)(error.error))?;
    Ok(())
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> ReportError {
    let path = path.to_owned();
    move |error| ReportError::Disk { path, error }
}
