//! Parts 1 and 2: dispositions, and handlers that run at any moment.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use harness::{Bench, Check, Fields, Input, Output, Process, Reply, ensure, ensure_eq, wrong};

use crate::kernel::{numbers, send};

/// Signals that nobody else sends to a probe.
const FREE: [i32; 5] = [
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGWINCH,
    libc::SIGURG,
    libc::SIGVTALRM,
];

/// With SA_RESTART a read goes on after the handler, without it the read fails with EINTR; both
/// in an order that is not known beforehand.
pub(crate) fn restart_is_as_asked(bench: &Bench) -> Check {
    let (reader, mut writer) = std::io::pipe()?;
    let mut probe = bench.probe().fd(4, reader).connect()?;
    let process = probe.process.proc();
    let signal = FREE[bench.number(0..5) as usize];
    let first = bench.number(0..2) == 0;
    for (restart, is_first) in [(first, true), (!first, false)] {
        let asked = format!("install for signal {signal}, restart = {restart}");
        let was_default = probe.value("install", Fields::new().value(signal).value(restart))?;
        ensure_eq(
            format!("{asked}: whether the old disposition it returned is the default one"),
            Some(is_first),
            was_default.parse(0),
        )?;
        if let Some(now) = process.signals() {
            ensure(
                numbers(now.caught).contains(&signal),
                asked.as_str(),
                "a handler",
                "SigCgt lacks it",
            )?;
        }
        probe.send("read", &Fields::new().value(4))?;
        probe.process.until_asleep()?;
        probe.process.signal(signal)?;
        bench.until(|| process.signals().is_none_or(|now| now.pending == 0));
        probe.process.until_asleep()?;
        writer.write_all(b"x")?;
        let interrupted = match probe.receive("read")? {
            Reply::Value(_) => false,
            Reply::Error {
                errno: Some(libc::EINTR),
                ..
            } => {
                // The byte is still there for the next round.
                probe.value("read", Fields::new().value(4))?;
                true
            }
            Reply::Error { text, .. } => return Err(wrong(asked, "a byte or EINTR", text)),
        };
        ensure_eq(
            format!("{asked}; a signal during read(2): EINTR?"),
            !restart,
            interrupted,
        )?;
    }
    let kind = probe.error(
        "install",
        Fields::new().value(libc::SIGKILL).value(true),
        "for SIGKILL",
    )?;
    ensure_eq("install for SIGKILL", "InvalidInput", kind.as_str())
}

/// A standard signal that is pending is not added again, a real-time signal is.
pub(crate) fn each_delivery_is_counted_once(bench: &Bench) -> Check {
    let mut counter = start_count(bench, &["USR1", "RTMIN"])?;
    let (n_usr1, n_rtmin) = (bench.number(2..10), bench.number(2..10));
    counter.freeze()?;
    for _ in 0..n_usr1 {
        counter.signal(libc::SIGUSR1)?;
    }
    for _ in 0..n_rtmin {
        counter.signal(libc::SIGRTMIN())?;
    }
    counter.thaw()?;
    // Signals are handled before the program reads anything again.
    counter.feed(b"\n")?;
    let counts = counter.until_line("USR1=")?;
    ensure_eq(
        format!("the counts after {n_usr1} USR1 and {n_rtmin} RTMIN to a stopped program"),
        format!("1 RTMIN={n_rtmin}"),
        counts,
    )
}

/// The handler interrupts every kind of work, and the work goes on.
pub(crate) fn counting_survives_a_storm(bench: &Bench) -> Check {
    let mut probe = bench.probe().stdout(Output::Null).connect()?;
    let seen = probe.value("storm_on_counts", Fields::new().value(STORM_MS))?;
    let (n_beats, n_counted) = (seen.parse::<u64>(0), seen.parse::<u64>(1));
    ensure(
        n_beats > Some(0) && n_counted > Some(0),
        "a program that works while signals are counted",
        "work done and signals counted",
        format!("{n_beats:?} rounds of work, {n_counted:?} signals"),
    )?;
    probe.finish()?.expect_code(0, "after a storm of signals")?;

    let mut counter = start_count(bench, &["USR2"])?;
    let sent = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let outcome = thread::scope(|scope| {
        let process = counter.proc();
        let (sent, over) = (&sent, &over);
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                sent.fetch_add(1, Ordering::SeqCst);
                let _ = send(process, libc::SIGUSR2);
                thread::sleep(Duration::from_micros(50));
            }
        });
        let outcome = heartbeats(&mut counter, 30);
        over.store(true, Ordering::Relaxed);
        outcome
    });
    let counted = outcome?;
    let sent = sent.into_inner();
    ensure(
        counted <= sent,
        "USR2 counted by `signals count`",
        format!("at most the {sent} that were sent"),
        counted.to_string(),
    )?;
    counter.signal(libc::SIGTERM)?;
    counter
        .finish()?
        .expect_code(0, "after TERM in a storm of signals")
}

/// How long a probe works under a storm. A lock in the handler is met within a few signals.
pub(crate) const STORM_MS: u64 = 250;

/// Asks for the counts again and again; returns the last one. They never fall.
fn heartbeats(counter: &mut Process, n_beats: usize) -> Check<u64> {
    let mut last = 0;
    for beat in 1..=n_beats {
        counter.feed(b"\n")?;
        // Its first line says that it counts.
        let lines = 1 + beat;
        let stdout = counter.until_stdout(&format!("answer {beat}"), |out| {
            out.iter().filter(|&&byte| byte == b'\n').count() >= lines
        })?;
        let text = String::from_utf8_lossy(&stdout).into_owned();
        let line = text.lines().nth(beat).unwrap_or_default();
        let count = line
            .strip_prefix("USR2=")
            .and_then(|count| count.parse().ok());
        match count {
            Some(count) if count >= last => last = count,
            _ => return Err(wrong("the counts", format!("USR2={last} or more"), line)),
        }
    }
    Ok(last)
}

/// `signals count`, with handlers in place and a pipe at its standard input.
pub(crate) fn start_count(bench: &Bench, signals: &[&str]) -> Check<Process> {
    let args = signals.iter().flat_map(|signal| ["--sig", signal]);
    let counter = bench
        .program(["count"])
        .args(args)
        .stdin(Input::Pipe)
        .start()?;
    counter.until_line("counting ")?;
    Ok(counter)
}
