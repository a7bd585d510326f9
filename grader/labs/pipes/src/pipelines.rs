//! Part 7: programs in a row, and who holds which end of the pipes between them.

use std::io::{ErrorKind, Write, pipe};
use std::os::fd::AsFd;

use harness::{Bench, Check, Fields, Input, Output, Process, ensure, ensure_eq, wrong};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::Resource;

use crate::bytes::WINDOW;
use crate::{ends, watch};

pub(crate) fn the_end_of_the_file_reaches_the_last_stage(bench: &Bench) -> Check {
    let n_bytes = (1 << 20) + bench.number(0..4096) as usize;
    let pipeline = bench.program(["pipe", "cat", "--", "cat", "--", "wc", "-c"]);
    let done = pipeline.run(&bench.bytes(n_bytes))?;
    let case = format!("{n_bytes} bytes through it");
    done.expect_stdout(format!("{n_bytes}\n").as_bytes(), &case)?;
    done.expect_code(0, &case)
}

pub(crate) fn each_stage_holds_only_its_own_descriptors(bench: &Bench) -> Check {
    let lone = bench.tool("/bin/cat").stdin(Input::Pipe).start()?;
    lone.until_asleep()?;
    let pipeline = bench
        .program(["pipe", "cat", "--", "cat", "--", "cat"])
        .stdin(Input::Pipe)
        .start()?;
    let stages = watch::idle_stages(bench, &pipeline, &["cat"; 3])?;
    let Some(expected) = fd_numbers(lone.proc()) else {
        return Ok(()); // what cannot be read is no evidence
    };
    for (place, stage) in (1..).zip(stages) {
        let Some(held) = stage.fds() else { continue };
        let numbers: Vec<i32> = held.iter().map(|fd| fd.number).collect();
        ensure(
            numbers == expected,
            format!("open descriptors of stage {place} of 3, in /proc/PID/fd"),
            format!("{expected:?}, as of a `cat` outside of any pipeline"),
            held.iter()
                .map(|fd| format!("{} → {}", fd.number, fd.target))
                .collect::<Vec<_>>()
                .join(", "),
        )?;
    }
    Ok(())
}

fn fd_numbers(process: instruments::Process) -> Option<Vec<i32>> {
    Some(process.fds()?.iter().map(|fd| fd.number).collect())
}

pub(crate) fn yes_dies_of_sigpipe_when_head_has_gone(bench: &Bench) -> Check {
    // Without a limit, a pipeline that collects what `yes` says would take all memory there is.
    let pipeline = bench
        .program(["pipe", "yes", "--", "head", "-1"])
        .rlimit(Resource::RLIMIT_AS, 512 << 20);
    let done = pipeline.run(b"")?;
    done.expect_stdout(b"y\n", "which takes one line of many")?;
    expect_ends(&done.stderr, "pipe yes -- head -1", "141 0")
}

pub(crate) fn every_stage_is_waited_for(bench: &Bench) -> Check {
    let done = bench
        .program([
            "pipe",
            "false",
            "--",
            "sh",
            "-c",
            "kill -9 $$",
            "--",
            "true",
        ])
        .run(b"")?;
    expect_ends(
        &done.stderr,
        "pipe false -- sh -c 'kill -9 $$' -- true",
        "1 137 0",
    )?;

    let mut probe = bench.probe().connect()?;
    let mut picked = ["true", "false", "no-such-program", "false", "true"];
    picked.rotate_left(bench.number(0..5) as usize);
    let args = picked
        .iter()
        .fold(Fields::new().value(picked.len()), Fields::bytes);
    let got = probe.value("run_pipeline", args)?;
    let codes: Vec<Option<i32>> = (0..got.len()).map(|index| got.parse(index)).collect();
    let expected: Vec<Option<i32>> = picked
        .iter()
        .map(|&program| match program {
            "true" => Some(0),
            "false" => Some(1),
            _ => Some(127),
        })
        .collect();
    ensure_eq(
        format!("how {} ended", picked.join(" -- ")),
        expected,
        codes,
    )?;
    let left: Vec<String> = probe
        .process
        .proc()
        .children()
        .iter()
        .map(|child| format!("{} ({:?})", child.name().unwrap_or_default(), child.state()))
        .collect();
    ensure_eq(
        "children left when run_pipeline has returned",
        Vec::<String>::new(),
        left,
    )
}

/// The line with which the given program reports how the stages ended.
fn expect_ends(stderr: &str, command: &str, codes: &str) -> Check {
    let what = format!("standard error of `pipes {command}`");
    let told = format!("pipes: pipe: stages ended with {codes}\n");
    if stderr.is_empty() {
        let got = "nothing, as when all stages that were waited for ended with 0";
        return Err(wrong(what, told, got));
    }
    ensure_eq(what, told.as_str(), stderr)
}

pub(crate) fn a_pipeline_takes_in_no_more_than_its_pipes_hold(bench: &Bench) -> Check {
    let (unread, stdout) = pipe()?;
    let mut pipeline = bench
        .program(["pipe", "cat", "--", "cat"])
        .stdin(Input::Pipe)
        .stdout(Output::Fd(stdout.into()))
        .start()?;
    let mut input = pipeline.take_stdin().expect("asked for a pipe");
    fcntl(&input, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let chunk = bench.bytes(64 << 10);
    let mut accepted = 0;
    // Asked each time: a stage may make its pipes larger once it runs.
    while accepted <= most_held(&input, &unread)? {
        let mut has_room = Ok(0);
        bench.until(|| {
            let mut fds = [PollFd::new(input.as_fd(), PollFlags::POLLOUT)];
            has_room = poll(&mut fds, PollTimeout::from(100u8));
            has_room != Ok(0) || is_asleep(&pipeline)
        });
        if has_room? == 0 {
            return Ok(()); // full, and nobody there who would change that
        }
        match input.write(&chunk) {
            Ok(n_bytes) => accepted += n_bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                return Err(wrong(
                    "writing to `pipes pipe cat -- cat` while nobody reads its output",
                    "it takes some and then waits",
                    error.to_string(),
                ));
            }
        }
    }
    let bound = most_held(&input, &unread)?;
    Err(wrong(
        "bytes that `pipes pipe cat -- cat` takes in while nobody reads its output",
        format!("at most {bound}: what the pipes hold, and 1 MiB"),
        format!("{accepted} and more: somebody collects them in memory"),
    ))
}

/// How many bytes two stages of cat(1) between these ends hold at most: what all pipes hold, and
/// 1 MiB for their buffers.
fn most_held(input: &impl AsFd, unread: &impl AsFd) -> Check<usize> {
    let (before, after) = (ends::capacity(input)?, ends::capacity(unread)?);
    // One is between the stages. A cat that moves its bytes with splice(2), as that of GNU does
    // since 2026, has another one of its own.
    let unseen = before.max(after).max(SPLICE_PIPE);
    Ok(before + after + 3 * unseen + (1 << 20))
}

/// The size that such a cat asks for, for its own pipe and for its standard output.
const SPLICE_PIPE: usize = 512 << 10;

/// Whether the pipeline has stages, and they and its own program sleep.
fn is_asleep(pipeline: &Process) -> bool {
    let program = pipeline.proc();
    let stages = program.children();
    let mut all = stages.iter().chain([&program]);
    !stages.is_empty() && all.all(|process| process.is_asleep())
}

pub(crate) fn a_pipeline_waits_without_polling(bench: &Bench) -> Check {
    let pipeline = bench.program(["pipe", "cat"]).stdin(Input::Pipe).start()?;
    watch::idle_stages(bench, &pipeline, &["cat"])?;
    pipeline.sleeps_soundly(WINDOW, "because its stage waits for input")
}

pub(crate) fn forty_stages_run_with_24_descriptors(bench: &Bench) -> Check {
    let stages = vec!["cat"; 40].join(" -- ");
    let input = bench.bytes(500);
    let done = bench
        .program(["pipe"])
        .args(stages.split(' '))
        .rlimit(Resource::RLIMIT_NOFILE, 24)
        .run(&input)?;
    let case = "40 stages with at most 24 open descriptors";
    done.expect_code(0, case)?;
    done.expect_stdout(&input, case)
}
