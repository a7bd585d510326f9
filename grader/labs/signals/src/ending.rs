//! Parts 9 and 10: a supervisor ends its children, all of them and nobody else, and then itself.

use std::collections::BTreeMap;

use harness::inject::{call, wait};
use harness::{Bench, Check, Fields, Input, Stop, Symptom, ensure, ensure_eq, found};
use instruments::proc::{Process, State};

use crate::children::{supervise, supervise_by};
use crate::kernel::{runs, send, state_at_rest};

/// Longer than any test: whoever waits for all of it is caught by the deadline.
const LONG_GRACE: &[&str] = &["--grace", "60000"];

/// A child that ignores TERM is killed.
pub(crate) fn deaf_child_is_killed(bench: &Bench) -> Check {
    let command = ["sh", "-c", "trap '' TERM; echo deaf; exec sleep 1000"];
    let supervisor = supervise(bench, &["--grace", "200"], &command, 1)?;
    supervisor.until_line("deaf")?;
    let kids = supervisor.proc().children();
    supervisor.signal(libc::SIGTERM)?;
    supervisor.wait();
    ensure_gone(bench, "a child that ignores TERM", kids[0])
}

/// A child that cleans up is given the time it needs, and the shutdown ends with it.
pub(crate) fn child_is_waited_for_and_no_longer(bench: &Bench) -> Check {
    let script = "trap 'sleep 0.2; echo cleaned; exit' TERM; echo ready; \
                  while :; do sleep 0.02; done";
    let supervisor = supervise(bench, LONG_GRACE, &["sh", "-c", script], 1)?;
    supervisor.until_line("ready")?;
    supervisor.signal(libc::SIGTERM)?;
    let done = supervisor.finish()?;
    ensure(
        done.stdout.ends_with(b"\ncleaned\n"),
        "a child that cleans up after TERM, within the grace",
        "its last line \"cleaned\"",
        format!(
            "{:?}; the supervisor {}",
            String::from_utf8_lossy(&done.stdout),
            done.how()
        ),
    )
}

/// A grandchild in the child's group ends with the group, also one that ignores TERM.
pub(crate) fn grandchildren_end_too(bench: &Bench) -> Check {
    for (who, first) in [
        ("a grandchild", ""),
        ("a grandchild that ignores TERM", "trap '' TERM;"),
    ] {
        let script = format!("({first} exec sleep 1000 >/dev/null 2>&1) & echo ready; wait");
        let supervisor = supervise(bench, LONG_GRACE, &["sh", "-c", &script], 1)?;
        supervisor.until_line("ready")?;
        let grandchildren = supervisor.proc().children()[0].children();
        let [grandchild] = grandchildren[..] else {
            return Err(Stop::Fault(format!(
                "{} grandchildren",
                grandchildren.len()
            )));
        };
        bench.until(|| runs(grandchild, "sleep"));
        supervisor.signal(libc::SIGTERM)?;
        supervisor.wait();
        ensure_gone(bench, who, grandchild)?;
    }
    Ok(())
}

/// A process of the supervisor's own group, and the shell that started both, live on.
pub(crate) fn strangers_are_spared(bench: &Bench) -> Check {
    let program = bench.program_path();
    // The stranger waits without a timer, so that a hang of the supervisor is seen as one at once.
    let script = format!(
        "exec 3<&0; cat <&3 & exec 3<&-; {} supervise --grace 200 -- sleep 1000 & wait $!; echo over; wait",
        program.display()
    );
    let shell = bench
        .tool("/bin/sh")
        .args(["-c", &script])
        .stdin(Input::Pipe)
        .start()?;
    shell.until_stdout("a line `started PID`", |out| out.ends_with(b"\n"))?;
    let started = shell.stdout_so_far();
    ensure(
        started.starts_with(b"started "),
        "`signals supervise`, started by a shell",
        "a line `started PID`",
        format!("{:?}", String::from_utf8_lossy(&started)),
    )?;
    bench.until(|| {
        shell
            .proc()
            .children()
            .into_iter()
            .any(|process| runs(process, "cat"))
    });
    let (strangers, supervisors): (Vec<Process>, Vec<Process>) = shell
        .proc()
        .children()
        .into_iter()
        .partition(|&process| runs(process, "cat"));
    let ([supervisor], [stranger]) = (&supervisors[..], &strangers[..]) else {
        return Err(Stop::Fault("the shell did not start two programs".into()));
    };
    send(*supervisor, libc::SIGTERM)?;
    shell
        .until_line("over")
        .map_err(|stop| stop.in_case("after TERM to the supervisor alone"))?;
    ensure_eq(
        "the state of a process in the supervisor's own group, after the shutdown",
        Some(State::Asleep),
        state_at_rest(bench, *stranger),
    )?;
    shell.kill().map(drop)
}

/// One child ends by TERM and is reaped. When the grace of the other is over, nobody signals the
/// number that is free again.
pub(crate) fn reaped_numbers_are_left_alone(bench: &Bench) -> Check {
    let kill = call("kill", &[libc::SYS_kill]);
    let watch = bench.watch_results(&[wait(), kill])?;
    let script = "mkdir first 2>/dev/null || trap '' TERM; echo ready; exec sleep 1000";
    let supervisor = supervise_by(
        bench.program(["supervise"]).watched(&watch, "supervise"),
        &["--copies", "2", "--grace", "200"],
        &["sh", "-c", script],
        2,
    )?;
    supervisor.until_stdout("a line `ready` of each child", |out| {
        String::from_utf8_lossy(out).matches("ready\n").count() == 2
    })?;
    supervisor.signal(libc::SIGTERM)?;
    supervisor.wait();

    let log = bench.results(&watch)?;
    // Each with the place of the call that reaped it.
    let mut reaped = BTreeMap::new();
    for (place, entry) in log.entries.iter().enumerate() {
        if log.actors[entry.actor].role != "supervise" {
            continue;
        }
        reaped.extend(entry.reaped.map(|child| (child, place)));
        let number = entry.args[0] as i32;
        // The number of a group is its own as long as somebody is left in it.
        let is_stray = number > 0 || entry.returned == Some(-i64::from(libc::ESRCH));
        // A submission may pass any number, also the one that has no positive twin.
        let child = number.saturating_abs();
        if entry.call == libc::SYS_kill
            && is_stray
            && let Some(&reaping) = reaped.get(&child)
        {
            watch.remark(reaping, &format!("reaps {child}: the number is free"));
            watch.remark(place, &format!("{child} was reaped before"));
            return Err(found(
                Symptom::Wrong,
                "the signals that a supervisor of two children sends in its shutdown",
                "each goes to a child, or the group of a child, that is not reaped yet",
                format!(
                    "kill({number}, {}) after its wait had reaped child {child}: by now that number may \
                     be somebody else's",
                    entry.args[1],
                ),
            ));
        }
    }
    ensure(
        !reaped.is_empty(),
        "the children that a supervisor of two reaps in its shutdown",
        "at least the one that ends by TERM",
        "none",
    )
}

/// More TERMs during the shutdown do not cut it short, and do not break it.
pub(crate) fn second_term_changes_nothing(bench: &Bench) -> Check {
    // The sleep takes part in the TERM; the shell does not end by it and starts another one.
    let script = "trap 'echo asked' TERM; echo ready; \
                  while :; do sleep 1000 >/dev/null 2>&1 & wait; done";
    let supervisor = supervise(bench, LONG_GRACE, &["sh", "-c", script], 1)?;
    supervisor.until_line("ready")?;
    let kids = supervisor.proc().children();
    supervisor.signal(libc::SIGTERM)?;
    supervisor.until_line("asked")?;
    for _ in 0..2 {
        supervisor.until_asleep()?;
        supervisor.signal(libc::SIGTERM)?;
    }
    supervisor.until_asleep()?;
    ensure(
        !kids[0].has_ended(),
        "a child within its grace, after two more TERM to the supervisor",
        "it lives",
        "it has ended",
    )?;
    send(kids[0], libc::SIGKILL)?;
    supervisor
        .finish()?
        .expect_signal(libc::SIGTERM, "after TERM, and two more TERM")
}

/// The parent of the supervisor sees a death by the signal, not an exit code that looks like it. A
/// signal that ends nobody leaves only the exit code.
pub(crate) fn supervisor_dies_by_the_signal(bench: &Bench) -> Check {
    let signal = [libc::SIGTERM, libc::SIGINT][bench.number(0..2) as usize];
    let supervisor = supervise(bench, LONG_GRACE, &["sleep", "1000"], 1)?;
    let kids = supervisor.proc().children();
    supervisor.signal(signal)?;
    let done = supervisor.finish()?;
    done.expect_signal(signal, &format!("asked to end by signal {signal}"))?;
    ensure_gone(bench, "a child", kids[0])?;

    let harmless = [libc::SIGCHLD, libc::SIGURG, libc::SIGWINCH][bench.number(0..3) as usize];
    let mut probe = bench.probe().blocking(harmless).connect()?;
    probe.send_last("die_by", &Fields::new().value(harmless))?;
    probe.finish()?.expect_code(
        128 + harmless,
        "in die_by with a signal that ends no process by default",
    )
}

/// A leak unless the process has ended, or is about to.
fn ensure_gone(bench: &Bench, who: &str, process: Process) -> Check {
    if !matches!(
        state_at_rest(bench, process),
        Some(State::Asleep | State::Stopped)
    ) {
        return Ok(());
    }
    Err(found(
        Symptom::Leak,
        format!("{who}, after the supervisor has ended"),
        "gone",
        "it sleeps on, and nobody has killed it",
    ))
}
