//! Part 6: another program at the ends of two pipes.

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};

use harness::{Bench, Check, Fields, Probe, Reply, ensure, ensure_eq, wrong};

use crate::{ends, watch};

/// Where a probe finds the input and the output that it gives to a stage.
const STDIN: i32 = 4;
const STDOUT: i32 = 5;

pub(crate) fn a_stage_reads_its_stdin_and_writes_its_stdout(bench: &Bench) -> Check {
    for (call, whose) in [
        ("spawn_stage", "as a stage"),
        (
            "spawn_stage_low",
            "as a stage that gets stdin as descriptor 1 and stdout as 0",
        ),
    ] {
        let (mut probe, mut input, mut output) = probe_with_pipes(bench)?;
        probe.value(call, stage("cat"))?;
        let sent = bench.bytes(1000);
        if let Err(error) = input.write_all(&sent) {
            let what = format!("writing to the input of `cat` {whose}");
            return Err(wrong(what, "it takes 1000 bytes", error.to_string()));
        }
        let mut got = vec![0; sent.len()];
        let mut ended = false;
        bench.until(|| {
            let stages = probe.process.proc().children();
            ended = !stages.is_empty() && stages.iter().all(|stage| stage.has_ended());
            ended || ends::bytes_waiting(&output) >= got.len()
        });
        let what = format!("1000 bytes through `cat` {whose}");
        if ended {
            let seen = "it has ended, while its input is open: it does not read from there";
            return Err(wrong(what, "the same bytes", seen));
        }
        output.read_exact(&mut got)?;
        ensure(sent == got, what, "the same bytes", "other bytes")?;
    }
    Ok(())
}

pub(crate) fn a_stage_starts_with_default_sigpipe_and_nothing_blocked(bench: &Bench) -> Check {
    let (mut probe, _input, _output) = probe_with_pipes(bench)?;
    probe.value("spawn_stage", stage("cat"))?;
    let stages = watch::idle_stages(bench, &probe.process, &["cat"])?;
    let Some(signals) = stages[0].signals() else {
        return Ok(()); // what cannot be read is no evidence
    };
    ensure(
        signals.ignored & 1 << (libc::SIGPIPE - 1) == 0,
        "SigIgn of the started program, in /proc/PID/status",
        "SIGPIPE at its default action",
        "SIGPIPE ignored, as in the Rust program that started it",
    )?;
    ensure_eq(
        "SigBlk of the started program, in /proc/PID/status, when its starter has signals blocked",
        format!("{:016x}", 0),
        format!("{:016x}", signals.blocked),
    )
}

pub(crate) fn an_unknown_program_ends_with_127(bench: &Bench) -> Check {
    let (mut probe, _input, _output) = probe_with_pipes(bench)?;
    let unknown = format!("no-such-program-{}", bench.number(0..1 << 32));
    let what = format!("the exit code of a stage `{unknown}`");
    let mut reply = probe.call("spawn_stage", stage(&unknown))?;
    // A child that runs on is a second probe: it answers as well, and waits for calls. Two probes
    // would each read a part of the next call, so it has to be seen before there is one.
    let mut runs_on = false;
    bench.until(|| {
        let mut stages = probe.process.proc().children();
        stages.retain(|stage| !stage.has_ended());
        runs_on = !stages.is_empty();
        stages.iter().all(|stage| stage.is_asleep())
    });
    if matches!(reply, Reply::Value(_)) && probe.has_answered()? {
        reply = probe.receive("spawn_stage")?;
    }
    let pid = match reply {
        Reply::Value(values) => values,
        Reply::Error { mut text, .. } => {
            if runs_on {
                text += ", and the child runs on in the code of its caller";
            }
            return Err(wrong(what, "127", text));
        }
    };
    match probe.call("wait", Fields::new().bytes(pid.get(0)))? {
        Reply::Value(ended) => ensure_eq(what, Some(127), ended.parse(0)),
        Reply::Error { text, .. } => Err(wrong(what, "127", text)),
    }
}

/// A probe with signals blocked and two pipes for a stage; the test has their other ends.
fn probe_with_pipes(bench: &Bench) -> Check<(Probe, PipeWriter, PipeReader)> {
    let (stdin, input) = pipe()?;
    let (output, stdout) = pipe()?;
    let launch = bench.probe().fd(STDIN, stdin).fd(STDOUT, stdout);
    let probe = launch
        .blocking(libc::SIGTERM)
        .blocking(libc::SIGUSR1)
        .connect()?;
    Ok((probe, input, output))
}

/// The arguments of a call that starts this program between the two pipes.
fn stage(program: &str) -> Fields {
    Fields::new().bytes(program).value(STDIN).value(STDOUT)
}
