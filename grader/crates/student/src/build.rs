//! Builds a lab's public tests with cargo, exactly as `cargo test -p LAB` does, and finds out
//! where the programs lie.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::tree::Lab;

/// What cargo made of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Built {
    /// The program that holds the public tests.
    pub(crate) tests: PathBuf,
    /// The lab's own programs, which the tests start.
    pub(crate) programs: Vec<PathBuf>,
}

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    /// The compiler refused; `text` is what it said, empty if the student has seen it.
    #[error("{lab} does not compile")]
    Refused {
        /// The lab.
        lab: String,
        /// What cargo and the compiler said.
        text: String,
    },
    /// cargo did not run.
    #[error("starting cargo: {0}")]
    Cargo(#[from] std::io::Error),
    /// The package has no tests/public.rs.
    #[error("{lab} has no public tests: restore {lab}/tests/public.rs")]
    NoTests {
        /// The lab.
        lab: String,
    },
}

/// Where cargo's words go while it builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// To the terminal, as they come.
    Shown,
    /// Into [`BuildError::Refused`].
    Kept,
}

#[derive(Deserialize)]
struct Artifact {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Builds `lab` of the workspace at `root`.
pub(crate) fn build(root: &Path, lab: &Lab, words: Words) -> Result<Built, BuildError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(cargo)
        .args(["test", "--no-run", "--test", "public", "--package"])
        .arg(&lab.name)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(match words {
            Words::Shown => Stdio::inherit(),
            Words::Kept => Stdio::piped(),
        })
        .spawn()?;
    let said = child.stderr.take().map(|mut stderr| {
        std::thread::spawn(move || {
            let mut text = String::new();
            // What is not text is cut off; the exit status decides.
            let _cut = stderr.read_to_string(&mut text);
            text
        })
    });
    let (mut tests, mut programs) = (None, Vec::new());
    for line in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|o| BufReader::new(o).lines())
    {
        // Other messages than artifacts are of no interest here.
        let Ok(artifact) = serde_json::from_str::<Artifact>(&line?) else {
            continue;
        };
        let kind = artifact.target.kind.first().map_or("", String::as_str);
        match (artifact.executable, kind) {
            (Some(path), "test") if artifact.target.name == "public" => tests = Some(path),
            (Some(path), "bin") => programs.push(path),
            _ => {}
        }
    }
    let status = child.wait()?;
    let text = said
        .map(|thread| thread.join().unwrap_or_default())
        .unwrap_or_default();
    let lab = lab.name.clone();
    match (status.success(), tests) {
        (false, _) => Err(BuildError::Refused { lab, text }),
        (true, None) => Err(BuildError::NoTests { lab }),
        (true, Some(tests)) => Ok(Built { tests, programs }),
    }
}
