//! Parts 7 and 8: children are reaped, all of them, and start with a clean slate.

use harness::{Bench, Check, Fields, Launch, Probe, Process, Reply, ensure, ensure_eq, wrong};

use instruments::proc::State;

use crate::kernel::{numbers, runs, send};

/// `signals supervise` with these options and this command, once so many copies have started.
pub(crate) fn supervise(
    bench: &Bench,
    options: &[&str],
    command: &[&str],
    n_copies: usize,
) -> Check<Process> {
    supervise_by(bench.program(["supervise"]), options, command, n_copies)
}

/// The same by a program that is watched, say.
pub(crate) fn supervise_by(
    program: Launch,
    options: &[&str],
    command: &[&str],
    n_copies: usize,
) -> Check<Process> {
    let supervisor = program.args(options).arg("--").args(command).start()?;
    supervisor.until_stdout(&format!("{n_copies} lines `started PID`"), |out| {
        lines(out, "started ").len() >= n_copies
    })?;
    ensure_eq(
        "children of the supervisor",
        n_copies,
        supervisor.proc().children().len(),
    )?;
    Ok(supervisor)
}

/// The rest of every whole line that starts with `prefix`.
fn lines(stdout: &[u8], prefix: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(stdout);
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .filter_map(|line| line.strip_prefix(prefix))
        .map(str::to_owned)
        .collect()
}

/// How many children end while the supervisor cannot look.
const N_CHILDREN: usize = 10;

/// The supervisor is stopped while all its children die, so one SIGCHLD stands for all of them. One
/// of them dies by a signal that has a number only.
pub(crate) fn one_sigchld_stands_for_all(bench: &Bench) -> Check {
    let mut probe = bench.probe().connect()?;
    let nameless = libc::SIGRTMIN() + bench.number(0..8) as i32;
    reap_counts(&mut probe, &[nameless])?;

    let options = ["--copies", &N_CHILDREN.to_string(), "--restarts", "0"];
    let supervisor = supervise(bench, &options, &["sleep", "1000"], N_CHILDREN)?;
    let kids = supervisor.proc().children();
    supervisor.freeze()?;
    let mut expected = Vec::new();
    let whose = bench.number(0..N_CHILDREN as u64) as usize;
    for (index, &kid) in kids.iter().enumerate() {
        let signal = match index == whose {
            true => nameless,
            false => [libc::SIGKILL, libc::SIGTERM, libc::SIGUSR1][bench.number(0..3) as usize],
        };
        send(kid, signal)?;
        expected.push(128 + signal);
    }
    bench.until(|| kids.iter().all(|&kid| kid.state() == Some(State::Zombie)));
    supervisor.thaw()?;
    let what = format!("{N_CHILDREN} lines `exited PID CODE`");
    let stdout = supervisor.until_stdout(&what, |out| lines(out, "exited ").len() >= N_CHILDREN)?;
    let mut codes: Vec<i32> = lines(&stdout, "exited ")
        .iter()
        .filter_map(|line| line.split_once(' ')?.1.parse().ok())
        .collect();
    codes.sort_unstable();
    expected.sort_unstable();
    ensure_eq("the exit codes told, in order", expected, codes)?;
    supervisor
        .finish()?
        .expect_code(1, "after all its children were killed")?;

    for n_ended in [0, bench.number(2..10) as usize, 0] {
        reap_counts(&mut probe, &vec![libc::SIGKILL; n_ended])?;
    }
    probe.finish()?.expect_code(0, "after its children")
}

/// Lets a probe's children die by these signals: `reap` tells of each and returns how many.
fn reap_counts(probe: &mut Probe, signals: &[i32]) -> Check {
    let args = Fields::new().value(signals.len());
    let what = format!("reap with children that died by the signals {signals:?}");
    let reaped = match probe.call("reap", signals.iter().fold(args, Fields::value))? {
        Reply::Value(reaped) => reaped,
        Reply::Error { text, .. } => return Err(wrong(what, "Ok", text)),
    };
    for (index, number) in [(1, "children it told of"), (0, "the number it returned")] {
        ensure_eq(
            format!("{what}: {number}"),
            Some(signals.len()),
            reaped.parse(index),
        )?;
    }
    Ok(())
}

/// Nothing of the supervisor's handlers, masks and descriptors is left in its children, nor what
/// the supervisor itself was started with. What a program does about signals by itself, as one in
/// Rust does before its main, shows in the same program outside of any supervisor.
pub(crate) fn children_start_clean(bench: &Bench) -> Check {
    let lone = bench.tool("/bin/sleep").arg("1000").start()?;
    lone.until_asleep()?;
    let clean = lone.proc().signals();
    // Whoever sleeps for a time may still move, and would make a slow test of every deadlock.
    lone.kill()?;
    let supervisor = bench
        .program(["supervise", "--", "sleep", "1000"])
        .blocking(libc::SIGUSR2)
        .ignoring(libc::SIGQUIT)
        .start()?;
    supervisor.until_line("started ")?;
    let kids = supervisor.proc().children();
    let [kid] = kids[..] else {
        return Err(wrong(
            "children of the supervisor",
            "one",
            format!("{}", kids.len()),
        ));
    };
    // Asleep, for a program that is still being loaded has its libraries open.
    bench.until(|| runs(kid, "sleep") && kid.is_asleep());
    if let (Some(now), Some(clean)) = (kid.signals(), clean) {
        let [ignored, clean_ignored] = [now, clean].map(|of| of.ignored & !GLIBCS_OWN);
        for (name, clean, set) in [
            ("SigBlk", clean.blocked, now.blocked),
            ("SigIgn (13 is SIGPIPE)", clean_ignored, ignored),
            ("SigCgt", clean.caught, now.caught),
        ] {
            ensure_eq(format!("{name} of a child"), numbers(clean), numbers(set))?;
        }
    }
    if let Some(fds) = kid.fds() {
        let more: Vec<String> = fds
            .into_iter()
            .filter(|fd| fd.number > 2)
            .map(|fd| format!("{} -> {}", fd.number, fd.target))
            .collect();
        ensure_eq("descriptors of a child beside 0, 1 and 2", Vec::new(), more)?;
    }
    supervisor.kill().map(drop)
}

/// Signals 32 and 33: glibc keeps them for itself, and its posix_spawn(3) starts every program with
/// them ignored, whatever it was asked for.
const GLIBCS_OWN: u64 = 0b11 << 31;

/// A program that is not there is an exit with 127, and nobody runs on in the child.
pub(crate) fn failed_exec_is_127(bench: &Bench) -> Check {
    let program = format!("./no-such-program-{}", bench.number(0..1_000_000));
    let done = bench
        .program(["supervise", "--restarts", "0", "--", &program])
        .run(b"")?;
    let stdout = String::from_utf8_lossy(&done.stdout).into_owned();
    let told: Vec<&str> = stdout
        .lines()
        .filter(|line| line.starts_with("started ") || line.starts_with("exited "))
        .collect();
    let is_right = match told[..] {
        [started, exited] => started
            .strip_prefix("started ")
            .is_some_and(|pid| exited == format!("exited {pid} 127")),
        _ => false,
    };
    ensure(
        is_right,
        format!("what `{}` printed", done.command),
        "started PID, then exited PID 127",
        format!("{stdout:?}; it {}", done.how()),
    )?;
    done.expect_code(1, "when its program cannot be run")
}
