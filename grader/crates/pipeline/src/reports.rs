//! Puts the reports into the RUN folder: bytes are made by `report`, here they reach the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use model::Gradebook;

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
pub fn write_reports(run: &Path, gradebook: &Gradebook) -> Result<(), ReportError> {
    replace(&run.join("results.json"), &report::results_json(gradebook))?;
    replace(&run.join("grades.csv"), &report::grades_csv(gradebook))?;
    replace(&run.join("report.html"), &report::html(gradebook))?;
    let feedback = run.join("feedback");
    for submission in &gradebook.submissions {
        let path = feedback.join(format!("{}.md", submission.id));
        replace(&path, &report::feedback(submission))?;
    }
    Ok(())
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
