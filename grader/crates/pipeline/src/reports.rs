//! Puts the reports into the RUN folder: bytes are made by `report`, here they reach the disk.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use model::SubmissionGrade;
use report::{BoxUse, Document};
use sandbox::Level;
use tempfile::NamedTempFile;

use crate::gradebook::Marks;
use crate::store::StoreError;

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
    /// The journal that it is made from.
    #[error(transparent)]
    Journal(#[from] StoreError),
}

impl Marks {
    /// Writes `results.json`, `grades.csv`, `report.html` and `feedback/<submission>.md`, side by
    /// side, so that each submission is read once.
    ///
    /// # Errors
    /// If one of them cannot be written. Each file is either the old one or the new one, whole.
    pub fn write_reports(&self) -> Result<(), ReportError> {
        let (run, class) = (self.run().folder(), self.class());
        let paths = ["results.json", "grades.csv", "report.html"].map(|name| run.join(name));
        let [json, csv, html] = &paths;
        let mut results = NewFile::create(json)?;
        let mut table = NewFile::create(csv)?;
        let mut page = NewFile::create(html)?;
        let documents: [(&Path, Box<dyn Document>); 3] = [
            (json, Box::new(report::results_json(&mut results, &class))),
            (csv, Box::new(report::grades_csv(&mut table, &class))),
            (html, Box::new(self.page(&mut page))),
        ];
        let feedback = run.join("feedback");
        self.write(documents, |submission| {
            let path = feedback.join(format!("{}.md", submission.id));
            replace(&path, &report::feedback(submission))
        })?;
        [results, table, page]
            .into_iter()
            .try_for_each(NewFile::finish)
    }

    /// Writes documents of these paths; `also` is called for each submission.
    ///
    /// # Errors
    /// Of the disk, of the journal, or of `also`.
    pub fn write<'a>(
        &self,
        documents: impl IntoIterator<Item = (&'a Path, Box<dyn Document + 'a>)>,
        also: impl Fn(&SubmissionGrade) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        let mut documents: Vec<_> = documents.into_iter().collect();
        for (path, document) in &mut documents {
            document.begin().map_err(disk(path))?;
        }
        for entry in self.told() {
            let entry = entry?;
            for (path, document) in &mut documents {
                document.add(&entry).map_err(disk(path))?;
            }
            also(&entry.grade)?;
        }
        for (path, document) in &mut documents {
            document.end().map_err(disk(path))?;
        }
        Ok(())
    }

    /// `report.html`.
    pub fn page<W: Write>(&self, out: W) -> impl Document + use<W> {
        let levels = self.run().journal().index().levels();
        let mut boxes: Vec<BoxUse> = levels.into_iter().map(box_use).collect();
        boxes.sort_by_key(|level| std::cmp::Reverse(level.n_tests));
        report::html(out, &self.class(), &mut self.bare(), &boxes)
    }
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

/// A file that is being written under another name: it is either the old one or the new one,
/// whole.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl NewFile {
    /// Begins a file. Its folder is created.
    ///
    /// # Errors
    /// If the disk says no.
    pub fn create(path: &Path) -> Result<Self, ReportError> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder).map_err(disk(folder))?;
        let file = NamedTempFile::new_in(folder).map_err(disk(path))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
        })
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// If the disk says no.
    pub fn finish(self) -> Result<(), ReportError> {
        let Self { path, file } = self;
        let new = file.into_inner();
        let new = new.map_err(|error| disk(&path)(error.into_error()))?;
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        new.as_file()
            .set_permissions(readable)
            .map_err(disk(&path))?;
        new.persist(&path)
            .map_err(|error| disk(&path)(error.error))?;
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes one file so that it is either the old one or the new one, whole. Its folder is created.
///
/// # Errors
/// If the disk says no.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let mut file = NewFile::create(path)?;
    file.write_all(bytes).map_err(disk(path))?;
    file.finish()
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> ReportError {
    let path = path.to_owned();
    move |error| ReportError::Disk { path, error }
}
