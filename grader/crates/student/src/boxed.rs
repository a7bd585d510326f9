//! The process that opens a box and runs one public test in it.
//!
//! Opening a box moves the process that does it, so this program starts itself again for every
//! test, as the grader does for hidden ones. The request comes on standard input, the answer goes
//! to standard output; what the test found out is in the record that it left.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use coach::record;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use sandbox::{Bind, BoxSpec, Command, Level, Sandbox};
use serde::{Deserialize, Serialize};

use crate::build::Built;

/// The hidden command line word that asks for [`answer`].
pub(crate) const COMMAND: &str = "__public-test";

/// The coach gives a test ten seconds and then explains it. Only a test that stopped its own
/// coach gets to this deadline.
const DEADLINE: Duration = Duration::from_secs(30);

/// What is to be run, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The box's level, as [`Level`] prints it.
    pub(crate) level: String,
    /// The programs.
    pub(crate) built: Built,
    /// The test; all of them, told and not run, if there is none.
    pub(crate) test: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The program of the tests has ended, or was given up.
    Ran {
        /// The text of the record.
        record: String,
        /// How the program ended, in words; none if it was given up.
        end: Option<String>,
        /// What it printed.
        output: String,
        /// If it was given up: who waits for what.
        autopsy: Vec<String>,
    },
    /// The box did not open, or does not let the tests run.
    NoBox {
        /// Why.
        reason: String,
    },
}

/// Answers the one request on standard input.
pub(crate) fn answer() -> ExitCode {
    let mut request = String::new();
    let read = io::stdin().read_to_string(&mut request);
    let Ok(request) = read.and_then(|_| Ok(serde_json::from_str::<Request>(&request)?)) else {
        return ExitCode::from(2);
    };
    let answer = run(&request).unwrap_or_else(|reason| Answer::NoBox { reason });
    let text = serde_json::to_vec(&answer).expect("an answer is plain data");
    match io::stdout().write_all(&text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}

fn run(request: &Request) -> Result<Answer, String> {
    let parent = nix::unistd::getppid();
    let level: Level = request
        .level
        .parse()
        .map_err(|error: sandbox::UnknownLevel| error.to_string())?;
    let sandbox = Sandbox::open(&spec(&request.built), level).map_err(|error| error.to_string())?;
    // Only now: changing the user while opening the box would clear it again.
    set_pdeathsig(Signal::SIGKILL).map_err(|error| error.to_string())?;
    if nix::unistd::getppid() != parent {
        return Err("nobody waits for the answer".to_owned());
    }
    let record = sandbox.work_dir().join("record.jsonl");
    // Made here and open to all, because on some levels the test is another user than we are.
    File::create(&record).map_err(|error| format!("{}: {error}", record.display()))?;
    open_to_all(&record);
    let (output, theirs) = io::pipe().map_err(|error| error.to_string())?;
    let theirs = OwnedFd::from(theirs);
    let both = theirs.try_clone().map_err(|error| error.to_string())?;
    let mut command = command(request, &sandbox, &record);
    command.fds = vec![(theirs, 1), (both, 2)];
    let child = sandbox.spawn(command).map_err(|error| error.to_string())?;
    let reader = std::thread::spawn(move || read_some(output));
    let exit = child.wait_until(Instant::now() + DEADLINE);
    let autopsy = match exit {
        Some(_) => Vec::new(),
        None => instruments::explain(&[child.pid()]).lines,
    };
    let text = fs::read(&record).unwrap_or_default();
    sandbox.close();
    Ok(Answer::Ran {
        record: String::from_utf8_lossy(&text).into_owned(),
        end: exit.map(|exit| coach::in_kernel_words(exit.status)),
        output: reader.join().unwrap_or_default(),
        autopsy,
    })
}

fn spec(built: &Built) -> BoxSpec {
    let programs = std::iter::once(&built.tests).chain(&built.programs);
    // The tests know their program by the path that it was built at.
    let bind = |path: &PathBuf| Bind {
        source: path.clone(),
        target: path.clone(),
        writable: false,
    };
    BoxSpec {
        binds: programs.map(bind).collect(),
        ..BoxSpec::default()
    }
}

fn command(request: &Request, sandbox: &Sandbox, record: &std::path::Path) -> Command {
    let mut command = Command::new(&request.built.tests);
    let mut args: Vec<&str> = vec!["--test-threads=1", "--nocapture"];
    match &request.test {
        Some(test) => args.extend(["--exact", test]),
        None => command.env.push((record::LESSONS_ONLY.into(), "1".into())),
    }
    command.args = args.into_iter().map(Into::into).collect();
    command.env.extend([
        (record::RECORD.into(), record.into()),
        ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
        ("HOME".into(), sandbox.work_dir().into()),
        ("TMPDIR".into(), sandbox.work_dir().into()),
    ]);
    if let Some(seconds) = std::env::var_os("COACH_DEADLINE") {
        command.env.push(("COACH_DEADLINE".into(), seconds));
    }
    command
}

fn open_to_all(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    // Not allowed on a level where files keep their mode; there we are the test's own user.
    let _same_user = fs::set_permissions(path, fs::Permissions::from_mode(0o666));
}

/// Reads to the end but keeps only the beginning, so that nobody waits for a full pipe.
fn read_some(mut pipe: io::PipeReader) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 1 << 14];
    while let Ok(n @ 1..) = pipe.read(&mut buffer) {
        let room = (16_usize << 10).saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..n.min(room)]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// Tries one level in this process, for [`sandbox::best_level`].
pub(crate) fn check_level(level: Option<String>) -> ExitCode {
    let tried = level
        .unwrap_or_default()
        .parse()
        .map_err(|error: sandbox::UnknownLevel| error.to_string())
        .and_then(|level| sandbox::check(level).map_err(|error| error.to_string()));
    match tried {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            crate::show::status(reason);
            ExitCode::from(1)
        }
    }
}
