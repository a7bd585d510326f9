//! Finds the course's repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pipeline::Course;

/// The course around the current folder, or the one this grader was built in.
pub(crate) fn find() -> Result<Course> {
    let root = root()?;
    Course::open(&root).with_context(|| format!("the course in {}", root.display()))
}

/// The root of the course's repository.
pub(crate) fn root() -> Result<PathBuf> {
    let here = std::env::current_dir().context("the current folder")?;
    let is_course =
        |folder: &&Path| folder.join("solutions").is_dir() && folder.join("grader/labs").is_dir();
    if let Some(root) = here.ancestors().find(is_course) {
        return Ok(root.to_owned());
    }
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .filter(is_course);
    built_in.map(Path::to_owned).context(
        "no course here: run this inside the repository that holds solutions/ and grader/labs/",
    )
}
