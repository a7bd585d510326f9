//! The program `pipes`: given and finished. All its work is done by the functions of `lib.rs`;
//! here are only its arguments, its messages and its exit codes.
//!
//! Standard output carries data only. An error is one line on standard error,
//! `pipes: <operation>: <reason>`, and an exit code: 1 failed, 2 wrong usage, 4 bad data.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::wait::WaitStatus;
use nix::unistd::{dup2_stdin, dup2_stdout};
use pipes::{read_full, read_record, run_pipeline, write_all, write_record};

const USAGE: &str = "\
usage: pipes produce --id K --count N              write the records `K 0`, `K 1`, ...
       pipes consume                               count records: one line `K N` for each id
       pipes cat                                   copy standard input to standard output
       pipes pipe PROGRAM [ARG].. [-- PROGRAM [ARG]..]..  run programs as a pipeline
";

/// What the command line asks for.
enum Command {
    Produce { id: u32, count: u64 },
    Consume,
    Cat,
    Pipe { stages: Vec<Vec<CString>> },
    Help,
}

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let Some(command) = parse(&args) else {
        let _ = io::stderr().write_all(USAGE.as_bytes());
        return ExitCode::from(2);
    };
    let (operation, result) = match command {
        Command::Produce { id, count } => ("produce", produce(id, count)),
        Command::Consume => ("consume", consume()),
        Command::Cat => ("cat", cat()),
        Command::Pipe { stages } => ("pipe", pipe(&stages)),
        Command::Help => ("help", io::stdout().write_all(USAGE.as_bytes())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "pipes: {operation}: {}", reason(&error));
            exit_code(&error)
        }
    }
}

fn parse(args: &[OsString]) -> Option<Command> {
    let (name, rest) = args.split_first()?;
    match (name.to_str()?, rest) {
        ("produce", options) => parse_produce(options),
        ("consume", []) => Some(Command::Consume),
        ("cat", []) => Some(Command::Cat),
        ("pipe", programs) => parse_pipe(programs),
        ("--help" | "-h", []) => Some(Command::Help),
        _ => None,
    }
}

fn parse_produce(options: &[OsString]) -> Option<Command> {
    let (mut id, mut count) = (None, None);
    for option in options.chunks(2) {
        let [name, value] = option else { return None };
        match name.to_str()? {
            "--id" => id = value.to_str()?.parse().ok(),
            "--count" => count = value.to_str()?.parse().ok(),
            _ => return None,
        }
    }
    Some(Command::Produce {
        id: id?,
        count: count?,
    })
}

fn parse_pipe(programs: &[OsString]) -> Option<Command> {
    let stages = programs
        .split(|arg| arg == "--")
        .map(|stage| {
            let arg = |arg: &OsString| CString::new(arg.clone().into_vec()).ok();
            stage
                .iter()
                .map(arg)
                .collect::<Option<Vec<_>>>()
                .filter(|argv| !argv.is_empty())
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Command::Pipe { stages })
}

/// Writes `count` records to standard output. Each holds the text `<id> <number>`.
fn produce(id: u32, count: u64) -> io::Result<()> {
    let stdout = io::stdout();
    for number in 0..count {
        write_record(stdout.as_fd(), format!("{id} {number}").as_bytes())?;
    }
    Ok(())
}

/// Reads records from standard input and prints how many there were of each id.
fn consume() -> io::Result<()> {
    let stdin = io::stdin();
    let mut tally: BTreeMap<u32, u64> = BTreeMap::new();
    let mut record = Vec::new();
    while read_record(stdin.as_fd(), &mut record)?.is_some() {
        *tally.entry(id_of(&record)?).or_default() += 1;
    }
    let mut stdout = io::stdout().lock();
    for (id, count) in tally {
        writeln!(stdout, "{id} {count}")?;
    }
    stdout.flush()
}

fn id_of(record: &[u8]) -> io::Result<u32> {
    let text = str::from_utf8(record).ok();
    text.and_then(|text| text.split_once(' '))
        .and_then(|(id, _number)| id.parse().ok())
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a record is not `<id> <number>`"))
}

/// Copies standard input to standard output, a full buffer at a time.
fn cat() -> io::Result<()> {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let mut buf = vec![0; 64 * 1024];
    loop {
        let filled = read_full(stdin.as_fd(), &mut buf)?;
        write_all(stdout.as_fd(), &buf[..filled])?;
        if filled < buf.len() {
            return Ok(());
        }
    }
}

/// Runs the stages between our standard input and output. They all have to end with status 0.
fn pipe(stages: &[Vec<CString>]) -> io::Result<()> {
    let (stdin, stdout) = take_standard_streams()?;
    let ended = run_pipeline(stages, stdin, stdout)?;
    if ended
        .iter()
        .all(|status| matches!(status, WaitStatus::Exited(_, 0)))
    {
        return Ok(());
    }
    let statuses: Vec<String> = ended.iter().map(shell_status).collect();
    Err(io::Error::other(format!(
        "stages ended with {}",
        statuses.join(" ")
    )))
}

/// Moves standard input and output out of this process. /dev/null takes their places: while the
/// stages run, nobody upstream or downstream should have to wait for us as well.
fn take_standard_streams() -> io::Result<(OwnedFd, OwnedFd)> {
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    Ok((stdin, stdout))
}

/// The number that a shell has in `$?` for this end.
fn shell_status(status: &WaitStatus) -> String {
    match status {
        WaitStatus::Exited(_, code) => code.to_string(),
        WaitStatus::Signaled(_, signal, _) => (128 + *signal as i32).to_string(),
        other => format!("{other:?}"),
    }
}

/// What the kernel calls the error, or the words of whoever raised it.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => Errno::from_raw(errno).desc().to_string(),
        None => error.to_string(),
    }
}

fn exit_code(error: &io::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => ExitCode::from(4),
        _ => ExitCode::from(1),
    }
}
