//! What the pipeline asks of a verdict program, as one JSON object on its standard input.
//!
//! Not on the command line: that can be read by anybody who sees the process.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Run one test against one built submission.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The test's id.
    pub test: String,
    /// Folder with the built programs: the lab's own name and `probe`.
    pub seat: PathBuf,
    /// The isolation rung to use, as `sandbox::Level` shows it.
    pub level: String,
    /// Seed of everything random in the test.
    pub seed: u64,
}
