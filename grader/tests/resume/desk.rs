//! One solved lab handed in, the command that grades it, and what its journal holds.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use instruments::{PidFd, Process};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with `submissions`, `run` and the grader's own temporary files in it.
pub(crate) struct Desk {
    folder: TempDir,
    args: Vec<String>,
}

impl Desk {
    /// A submission with the first lab solved, to be graded with these arguments too.
    pub(crate) fn with_one_solved_lab(args: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
        };
        let lab = authoring::lab::discover(root).unwrap().remove(0);
        let sources = authoring::student::complete(&lab, &lab.sources(root).unwrap()).unwrap();
        let src = desk
            .path("submissions/alice")
            .join(&lab.name)
            .join("src/lib.rs");
        std::fs::create_dir_all(src.parent().unwrap()).unwrap();
        std::fs::write(src, &sources["src/lib.rs"]).unwrap();
        std::fs::create_dir(desk.temporary()).unwrap();
        // Programs of a box that has no root of its own must get to what is in there.
        for folder in [desk.path(""), desk.temporary()] {
            std::fs::set_permissions(folder, PermissionsExt::from_mode(0o1777)).unwrap();
        }
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the grader keeps what must not stay.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.path("tmp")
    }

    /// The command that grades into the RUN folder of this name.
    pub(crate) fn grader(&self, run: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grader"));
        command.arg("grade").arg(self.path("submissions"));
        command.arg("--run").arg(self.path(run));
        command
            .args(["--lab", "pipes", "--jobs", "1"])
            .args(&self.args);
        command.env("TMPDIR", self.temporary());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Waits until the journal holds so many tests, which must be before the grader ends.
    pub(crate) fn wait_for_tests(&self, run: &str, n_tests: usize, grader: &mut Child) {
        while self.tests(run).len() < n_tests {
            assert!(
                grader.try_wait().unwrap().is_none(),
                "it ended before it could be stopped"
            );
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Every whole record of a test in the journal, in order: its id and its outcome.
    pub(crate) fn tests(&self, run: &str) -> Vec<(String, String)> {
        let journal = self.path(run).join("journal.jsonl");
        let journal = std::fs::read_to_string(journal).unwrap_or_default();
        let whole = journal.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let records = whole
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        records
            .filter(|record| record["record"] == "test")
            .map(|record| {
                let field = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                (field(&record["test"]), field(&record["verdict"]["outcome"]))
            })
            .collect()
    }

    /// The outcome of each test; a test that was graded twice is a failure.
    pub(crate) fn outcomes(&self, run: &str) -> BTreeMap<String, String> {
        let tests = self.tests(run);
        let outcomes: BTreeMap<_, _> = tests.iter().cloned().collect();
        assert_eq!(
            outcomes.len(),
            tests.len(),
            "a test was graded twice: {tests:?}"
        );
        outcomes
    }
}

/// Processes below `pid`; those that end while we look need no watching.
pub(crate) fn below(pid: u32) -> Vec<PidFd> {
    let tree = Process::new(pid as i32).descendants();
    tree.into_iter()
        .filter_map(|process| PidFd::open(process.pid()).ok())
        .collect()
}

/// Returns once all of them have ended.
pub(crate) fn wait_for_the_end_of(processes: Vec<PidFd>) {
    for process in processes {
        while !process.has_ended() {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
