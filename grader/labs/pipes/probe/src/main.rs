//! Calls single functions of a submission's `pipes` library and says what came back.
//!
//! It knows no expectation. What it needs beside the functions, such as another program that
//! sleeps, is made with std only, so that nothing but the function under test can be wrong.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, FromRawFd, IntoRawFd, OwnedFd};
use std::process::{Command, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, dup2_stdin, dup2_stdout};
use probe::{Answer, Call, Fields, serve};

fn main() {
    serve(|call| match call.name() {
        "hold_pipe" => hold_pipe(),
        "make_pipe" => make_pipe_and_start_a_program(),
        "write_records" => write_records(call),
        "read_record" => read_record(call),
        "spawn_stage" => spawn_stage(call),
        "spawn_stage_low" => spawn_stage_with_low_descriptors(call),
        "wait" => wait(call),
        "run_pipeline" => run_pipeline(call),
        unknown => Err(io::Error::other(format!("no function {unknown}"))),
    })
}

/// Makes a pipe that stays open, and gives back the numbers of its ends.
fn hold_pipe() -> Answer {
    let (reader, writer) = pipes::make_pipe()?;
    Ok(Fields::new()
        .value(reader.into_raw_fd())
        .value(writer.into_raw_fd()))
}

/// Makes a pipe, starts a program, drops the write end: whether a reader sees the end of the file
/// now, with the program still there.
fn make_pipe_and_start_a_program() -> Answer {
    let (reader, writer) = pipes::make_pipe()?;
    let mut program = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let input = program.stdin.as_mut().expect("asked for a pipe");
    let output = program.stdout.as_mut().expect("asked for a pipe");
    // The parent may go on while exec is still closing descriptors. An echo proves that it is over.
    input.write_all(b"!")?;
    output.read_exact(&mut [0])?;
    drop(writer);
    let mut fds = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO)?;
    let ended = fds[0]
        .revents()
        .is_some_and(|events| events.contains(PollFlags::POLLHUP));
    drop(program.stdin.take());
    program.wait()?;
    Ok(Fields::new().value(ended))
}

/// Arguments: a descriptor, how many records, the records. Writes them all.
fn write_records(call: &Call) -> Answer {
    let fd = call.fd(0);
    for index in 0..call.value(1) {
        pipes::write_record(fd, call.bytes(2 + index))?;
    }
    Ok(Fields::new())
}

/// Argument: a descriptor. Reads one record and gives it back.
fn read_record(call: &Call) -> Answer {
    let mut record = Vec::new();
    let length = pipes::read_record(call.fd(0), &mut record)?;
    Ok(match length {
        Some(_) => Fields::new().bytes(record),
        None => Fields::new(),
    })
}

/// Arguments: a program without arguments, descriptors for its input and output. Starts it as a
/// stage and gives back its process id.
fn spawn_stage(call: &Call) -> Answer {
    let argv = [CString::new(call.bytes(0))?];
    let (stdin, stdout) = (
        call.fd(1).try_clone_to_owned()?,
        call.fd(2).try_clone_to_owned()?,
    );
    Ok(Fields::new().value(pipes::spawn_stage(&argv, stdin, stdout)?))
}

/// As [`spawn_stage`], from a process that has closed its own standard descriptors before: its
/// pipes have got their numbers, and just the wrong way round.
fn spawn_stage_with_low_descriptors(call: &Call) -> Answer {
    let argv = [CString::new(call.bytes(0))?];
    dup2_stdin(call.fd(2))?;
    dup2_stdout(call.fd(1))?;
    // SAFETY: nothing in this process uses the numbers 0 and 1 from here on.
    let (stdin, stdout) = unsafe { (OwnedFd::from_raw_fd(1), OwnedFd::from_raw_fd(0)) };
    Ok(Fields::new().value(pipes::spawn_stage(&argv, stdin, stdout)?))
}

/// Argument: a process id. Waits for that child and gives back its exit code.
fn wait(call: &Call) -> Answer {
    let ended = waitpid(Pid::from_raw(call.value(0)), None)?;
    Ok(Fields::new().value(shell_code(ended)))
}

/// Arguments: how many stages, a program without arguments for each. Runs them between /dev/null
/// and /dev/null and gives back their exit codes.
fn run_pipeline(call: &Call) -> Answer {
    let stage = |index: usize| Ok(vec![CString::new(call.bytes(1 + index))?]);
    let stages: io::Result<Vec<Vec<CString>>> = (0..call.value::<usize>(0)).map(stage).collect();
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let ended = pipes::run_pipeline(&stages?, null.try_clone()?.into(), null.into())?;
    Ok(ended
        .into_iter()
        .map(shell_code)
        .fold(Fields::new(), Fields::value))
}

/// The exit code as a shell shows it.
fn shell_code(ended: WaitStatus) -> i32 {
    match ended {
        WaitStatus::Exited(_, code) => code,
        WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
        _ => -1,
    }
}
