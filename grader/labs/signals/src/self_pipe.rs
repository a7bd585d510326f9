//! Part 6: the self-pipe wakes, never blocks, loses nothing and leaves nothing behind.

use std::io::pipe;

use harness::{Bench, Check, Fields, Output, Probe, ensure, ensure_eq};
use nix::fcntl::{FcntlArg, fcntl};

use crate::handlers::STORM_MS;
use crate::kernel::numbers;

/// More signals than a pipe holds bytes, without a drain: the handler returns each time, and a
/// signal that comes after all of them is still told.
pub(crate) fn full_pipe_blocks_and_loses_nothing(bench: &Bench) -> Check {
    let mut probe = bench.probe().connect()?;
    make(&mut probe, &[libc::SIGUSR1, libc::SIGTERM])?;
    let n_raised = more_than_a_pipe_holds()?;
    let args = Fields::new().value(libc::SIGUSR1).value(n_raised);
    probe.value("raise", args)?;
    probe.value("raise", Fields::new().value(libc::SIGTERM).value(1))?;
    let expected = vec![libc::SIGUSR1, libc::SIGTERM];
    let got = drain(&mut probe)?;
    let what = format!("drain after {n_raised} USR1 and one TERM");
    ensure_eq(what, expected, got)?;
    let got = drain(&mut probe)?;
    ensure_eq("the drain after that", Vec::new(), got)
}

/// 70000, where a pipe holds 64 KiB; where pages are larger, it holds more. The submission's own pipe
/// is as large as any other.
fn more_than_a_pipe_holds() -> Check<usize> {
    let (reader, _writer) = pipe()?;
    let capacity = usize::try_from(fcntl(&reader, FcntlArg::F_GETPIPE_SZ)?).unwrap_or_default();
    Ok(70_000 + capacity.saturating_sub(64 << 10))
}

/// Each signal once, by number, whatever the order and the repeats were.
pub(crate) fn drain_tells_a_set(bench: &Bench) -> Check {
    let watched = [
        libc::SIGHUP,
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGALRM,
        libc::SIGWINCH,
    ];
    let mut probe = bench.probe().connect()?;
    make(&mut probe, &watched)?;
    let by_chance = |_| -> Vec<i32> {
        (0..bench.number(0..8))
            .map(|_| watched[bench.number(0..5) as usize])
            .collect()
    };
    // Chance may leave out what matters: another order, and a repeat.
    let backwards_and_again = watched.iter().rev().chain(&watched).copied().collect();
    let rounds = (1..5).map(by_chance).chain([backwards_and_again]);
    for (round, raised) in (1..).zip(rounds) {
        for signal in &raised {
            probe.value("raise", Fields::new().value(signal).value(1))?;
        }
        let mut expected = raised.clone();
        expected.sort_unstable();
        expected.dedup();
        let got = drain(&mut probe)?;
        ensure_eq(
            format!("drain {round}, after raising {raised:?}"),
            expected,
            got,
        )?;
    }
    Ok(())
}

/// The handler interrupts a program that prints, allocates and drains.
pub(crate) fn handler_survives_a_storm(bench: &Bench) -> Check {
    let mut probe = bench.probe().stdout(Output::Null).connect()?;
    let seen = probe.value("storm_on_self_pipe", Fields::new().value(STORM_MS))?;
    let (n_beats, n_found) = (seen.parse::<u64>(0), seen.parse::<u64>(1));
    ensure(
        n_beats > Some(0) && n_found > Some(0),
        "a program that works while signals arrive in its self-pipe",
        "work done and signals found",
        format!("{n_beats:?} rounds of work, {n_found:?} with a signal"),
    )?;
    probe.finish()?.expect_code(0, "after a storm of signals")
}

/// Making and dropping leaves dispositions and descriptors as they were; two do not live at once.
pub(crate) fn dropping_puts_everything_back(bench: &Bench) -> Check {
    let mut probe = bench.probe().connect()?;
    // Once it has answered, its own start is over: Rust installs handlers before main.
    probe.value("drop_self_pipe", Fields::new())?;
    let process = probe.process.proc();
    let caught = || process.signals().map(|now| numbers(now.caught));
    let n_open = || process.fds().map(|fds| fds.len());
    let watched = [libc::SIGUSR1, libc::SIGCHLD];
    let before = (caught(), n_open());
    for _ in 0..20 {
        make(&mut probe, &watched)?;
        probe.value("drop_self_pipe", Fields::new())?;
    }
    ensure_eq(
        "signals caught and descriptors open, after 20 self-pipes were dropped",
        before,
        (caught(), n_open()),
    )?;
    make(&mut probe, &watched)?;
    let kind = probe.error("self_pipe", signals(&watched), "while another one lives")?;
    ensure_eq(
        "SelfPipe::new while another one lives",
        "ResourceBusy",
        kind.as_str(),
    )?;
    probe.value("raise", Fields::new().value(libc::SIGUSR1).value(1))?;
    let got = drain(&mut probe)?;
    ensure_eq(
        "drain of the first one after that",
        vec![libc::SIGUSR1],
        got,
    )
}

fn make(probe: &mut Probe, watched: &[i32]) -> Check {
    probe.value("self_pipe", signals(watched)).map(drop)
}

fn signals(signals: &[i32]) -> Fields {
    signals
        .iter()
        .fold(Fields::new().value(signals.len()), Fields::value)
}

fn drain(probe: &mut Probe) -> Check<Vec<i32>> {
    let told = probe.value("drain", Fields::new())?;
    Ok((0..told.len())
        .filter_map(|index| told.parse(index))
        .collect())
}
