//! What recorder and injector promise.

use std::io::Write;
use std::time::Duration;

use instruments::Process;
use instruments::inject::{
    Delayed, Eintr, Fails, HeldUntil, Log, Rule, Short, Signal, Until, call, exec, exit, fork,
    inject, meet, pipe, read, signal_wait, socket, wait, write,
};
use nix::errno::Errno;
use sandbox::Level;

use crate::stage::{Stage, said};

/// A name that is a sentence, and what it does on a level.
type Case = (&'static str, fn(Level));

pub(crate) const CASES: &[Case] = &[
    ("calls_of_all_processes_are_in_one_order", one_order),
    ("threads_belong_to_their_process", threads),
    (
        "an_interrupted_read_ends_the_careless_and_not_the_careful",
        interrupted,
    ),
    ("any_error_can_be_had", any_error),
    ("a_short_write_moves_just_so_many_bytes", short_writes),
    ("a_short_read_moves_just_so_many_bytes", short_reads),
    ("a_short_read_waits_like_any_read", short_read_waits),
    ("a_call_with_control_data_is_left_alone", with_control_data),
    ("a_short_write_without_a_reader_raises_sigpipe", broken_pipe),
    (
        "a_signal_before_the_sleep_is_lost_on_the_careless",
        lost_signal,
    ),
    ("a_rendezvous_loses_the_update_of_the_careless", rendezvous),
    ("a_hold_ends_with_the_process_it_waits_for", until_ended),
    ("a_hold_that_is_given_up_has_not_happened", given_up),
    ("a_rule_that_is_not_reached_is_missing", missing),
    ("a_delay_delays_and_nothing_else", delay),
    ("results_of_calls_are_told_when_asked_for", results),
    ("the_number_of_a_reaped_child_is_told", reaped_children),
    (
        "whoever_is_watched_for_results_lives_as_without",
        as_without,
    ),
    ("a_rendezvous_works_with_results", rendezvous_with_results),
    (
        "where_somebody_watches_already_the_error_says_so",
        watched_already,
    ),
];

fn texts(log: &Log) -> Vec<String> {
    let text = |entry| {
        format!(
            "{} {}",
            log.actors[entry_actor(entry)].role,
            log.text(entry)
        )
    };
    log.entries.iter().map(text).collect()
}

fn entry_actor(entry: &instruments::inject::Entry) -> usize {
    entry.actor
}

fn one_order(level: Level) {
    let also = [
        read().on(pipe()),
        write().on(pipe()),
        fork(),
        exec(),
        exit(),
    ];
    let stage = Stage::new(level, Vec::new(), &also);
    let said = stage.run("sh", stage.shell("/bin/echo hi | (/bin/cat)"));
    assert_eq!(said, "hi");
    let log = stage.recorder.log();
    let texts = texts(&log);
    let place = |wanted: &str| {
        let found = texts.iter().position(|text| text.ends_with(wanted));
        found.unwrap_or_else(|| panic!("no {wanted} in {texts:#?}"))
    };
    assert!(
        place("execve(/bin/echo)") < place("write(1 = pipe A, 3)"),
        "{texts:#?}"
    );
    assert!(
        place("execve(/bin/cat)") < place("write(1 = pipe B, 3)"),
        "{texts:#?}"
    );
    assert!(
        place("write(1 = pipe A, 3)") < place("write(1 = pipe B, 3)"),
        "{texts:#?}"
    );
    let roles: Vec<&str> = log.actors.iter().map(|actor| actor.role.as_str()).collect();
    assert_eq!(roles, ["sh", "sh/1", "sh/2"], "{texts:#?}");
    assert_eq!(exec().n_in(&log), 2);
}

fn threads(level: Level) {
    let stage = Stage::new(level, Vec::new(), &[read().on(pipe()), write().on(pipe())]);
    stage.run("one", stage.victim(&["threads"]));
    let log = stage.recorder.log();
    assert_eq!(log.actors.len(), 1, "{log:#?}");
    assert_eq!(texts(&log).len(), 2, "{log:#?}");
}

fn interrupted(level: Level) {
    let mut stage = Stage::new(level, Vec::new(), &[]);
    for (care, expected) in [("careless", "EINTR after 20"), ("careful", "30")] {
        stage.renew(vec![inject(read().on(pipe()).nth(3), Eintr)]);
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut victim = stage.victim(&["count-input", care]);
        victim.fds.push((reader.into(), 0));
        writer.write_all(&[7; 30]).unwrap();
        drop(writer);
        assert_eq!(stage.run("reader", victim), expected);
        assert_eq!(stage.fired(), [1]);
    }
}

/// The text of each call of one role.
fn texts_of(log: &Log, role: &str) -> Vec<String> {
    let prefix = format!("{role} ");
    let all = texts(log).into_iter();
    all.filter_map(|text| text.strip_prefix(&prefix).map(str::to_owned))
        .collect()
}

fn results(level: Level) {
    let rules = vec![
        inject(read().on(pipe()).nth(2), Eintr),
        inject(read().on(pipe()).nth(3), Short(4)),
    ];
    let stage = Stage::new(level, Vec::new(), &[]).with_results(rules, &[]);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut victim = stage.victim(&["count-input", "careful"]);
    victim.fds.push((reader.into(), 0));
    writer.write_all(&[7; 15]).unwrap();
    drop(writer);
    assert_eq!(stage.run("reader", victim), "15");
    assert_eq!(stage.fired(), [1, 1]);
    assert_eq!(stage.recorder.no_results(), None);
    let ends = ["10", "EINTR", "4", "1", "0"];
    let expected = ends.map(|end| format!("read(0 = pipe A, 10) = {end}"));
    assert_eq!(texts_of(&stage.recorder.log(), "reader"), expected);
}

fn reaped_children(level: Level) {
    let also = [wait(), call("kill", &[libc::SYS_kill])];
    let stage = Stage::new(level, Vec::new(), &[]).with_results(Vec::new(), &also);
    let said = stage.run("parent", stage.victim(&["reap-and-kill"]));
    let log = stage.recorder.log();
    let told = texts_of(&log, "parent");
    let [wait4, looked, waitid, kill] = &told[..] else {
        panic!("{told:#?}");
    };
    let (first, second) = said.split_once(' ').unwrap();
    assert_eq!(*wait4, format!("wait4() = {first}"));
    assert_eq!(looked, "waitid() = 0");
    assert_eq!(*waitid, format!("waitid() = 0, reaped {second}"));
    assert_eq!(*kill, format!("kill({first}, 0) = ESRCH"));
    let reaped: Vec<i32> = log.entries.iter().filter_map(|it| it.reaped).collect();
    assert_eq!(reaped, [first, second].map(|it| it.parse::<i32>().unwrap()));
}

/// Handlers of real-time signals, stops, threads, vfork and exec are what they are without us.
fn as_without(level: Level) {
    let stage = Stage::new(level, Vec::new(), &[]).with_results(Vec::new(), &[exit(), wait()]);
    let said = stage.run("one", stage.victim(&["lives-on"]));
    assert_eq!(
        said,
        "3 real-time signals, a thread, stopped, exited with 7, executed"
    );
    let log = stage.recorder.log();
    assert_eq!(stage.recorder.no_results(), None);
    let n_reaped = log.entries.iter().filter(|it| it.reaped.is_some()).count();
    assert_eq!(n_reaped, 2, "{:#?}", texts(&log));
}

fn any_error(level: Level) {
    #[cfg(target_arch = "x86_64")]
    let mkdir = call("mkdir", &[libc::SYS_mkdir]);
    #[cfg(not(target_arch = "x86_64"))]
    let mkdir = call("mkdir", &[libc::SYS_mkdirat]);
    let stage = Stage::new(
        level,
        vec![inject(mkdir.by("sh/1"), Fails(Errno::ENOSPC))],
        &[],
    );
    let said = stage.run("sh", stage.shell("mkdir one; rmdir one; true"));
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(stage.fired(), [1]);
}

fn short_writes(level: Level) {
    let mut stage = Stage::new(level, Vec::new(), &[]);
    for kind in ["pipe", "socket", "file"] {
        let on = match kind {
            "socket" => socket(),
            "pipe" => pipe(),
            _ => instruments::inject::file(),
        };
        // std uses sendto for its sockets.
        let point = instruments::inject::send().on(on);
        stage.renew(vec![inject(point, Short(1000))]);
        assert_eq!(
            stage.run("writer", stage.victim(&["write-once", kind])),
            "1000"
        );
        assert_eq!(stage.fired(), [1]);
    }
}

fn short_reads(level: Level) {
    let mut stage = Stage::new(level, Vec::new(), &[]);
    for (kind, on) in [("pipe", pipe()), ("socket", socket())] {
        let point = instruments::inject::receive().on(on);
        stage.renew(vec![inject(point, Short(1000))]);
        assert_eq!(
            stage.run("reader", stage.victim(&["read-once", kind])),
            "1000"
        );
        assert_eq!(stage.fired(), [1]);
    }
}

fn short_read_waits(level: Level) {
    let stage = Stage::new(level, vec![inject(read().fd(0).nth(1), Short(3))], &[]);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut victim = stage.victim(&["count-input", "careless"]);
    victim.fds.push((reader.into(), 0));
    let (child, output) = stage.start("reader", victim);
    while stage.fired() != [1] {
        std::thread::yield_now();
    }
    writer.write_all(&[7; 8]).unwrap();
    drop(writer);
    assert_eq!(said(child, output), "8");
    // 3, 5, the end.
    assert_eq!(read().fd(0).n_in(&stage.recorder.log()), 3);
}

/// That it cannot be shortened is no lack of this machine's.
fn with_control_data(level: Level) {
    let point = instruments::inject::receive().on(socket());
    let stage = Stage::new(level, vec![inject(point, Short(1000))], &[]);
    let said = stage.run("reader", stage.victim(&["read-once", "control data"]));
    assert_eq!(said, "4000");
    assert_eq!(stage.fired(), [0]);
}

fn broken_pipe(level: Level) {
    let stage = Stage::new(level, vec![inject(write().on(pipe()), Short(10))], &[]);
    let said = stage.run("writer", stage.victim(&["broken-pipe"]));
    assert_eq!(said, "(signal: 13 (SIGPIPE))");
}

fn lost_signal(level: Level) {
    let mut stage = Stage::new(level, Vec::new(), &[]);
    for (care, is_lost) in [("careless", true), ("careful", false)] {
        stage.renew(vec![inject(signal_wait(), Signal(libc::SIGUSR1))]);
        let (child, output) = stage.start("waiter", stage.victim(&["wait-for-signal", care]));
        if is_lost {
            let process = Process::new(child.pid());
            // It has handled the signal and sleeps all the same.
            let is_handled = || {
                process
                    .signals()
                    .is_some_and(|signals| signals.pending == 0)
            };
            while stage.fired() != [1] || !is_handled() || !process.is_asleep() {
                assert!(child.exit().is_none());
                std::thread::yield_now();
            }
            // It sleeps as well for the moment in which its call is announced again; a signal then
            // is lost like the first.
            while child.exit().is_none() {
                let _ = child.signal(libc::SIGUSR1);
                std::thread::yield_now();
            }
        }
        assert_eq!(said(child, output), "it has come");
        assert_eq!(stage.fired(), [1]);
    }
}

fn rendezvous(level: Level) {
    meet_at_the_store(Stage::new(level, Vec::new(), &[]), Stage::renewed);
}

fn rendezvous_with_results(level: Level) {
    meet_at_the_store(Stage::new(level, Vec::new(), &[]), |stage, rules| {
        stage.with_results(rules, &[])
    });
}

fn meet_at_the_store(mut stage: Stage, renewed: fn(Stage, Vec<Rule>) -> Stage) {
    for (care, expected) in [("careless", "1"), ("careful", "2")] {
        let store = call("pwrite64", &[libc::SYS_pwrite64]);
        let rules = meet(store.clone().by("one"), store.by("two"));
        stage = renewed(stage, rules.into());
        let path = stage.sandbox.work_dir().join("number");
        std::fs::write(&path, "0").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .unwrap();
        let victim = || stage.victim(&["increment", path.to_str().unwrap(), care]);
        let running = [stage.start("one", victim()), stage.start("two", victim())];
        for (child, output) in running {
            assert_eq!(said(child, output), "");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(stage.fired(), [1, 1]);
    }
}

fn until_ended(level: Level) {
    // The parent's wait comes only after the child has ended, every time.
    let rule = inject(wait().by("sh"), HeldUntil(Until::Ended("sh/1".into())));
    let stage = Stage::new(level, vec![rule], &[exit()]);
    let said = stage.run("sh", stage.shell("(exit 3); echo $?"));
    assert_eq!(said, "3");
    assert_eq!(stage.fired(), [1]);
    let log = stage.recorder.log();
    let held = log.matching(&wait()).next().unwrap();
    assert_eq!(held.effect.as_deref(), Some("held until sh/1 has ended"));
}

fn given_up(level: Level) {
    let never = Until::Reached(Box::new(read().by("nobody")));
    let rule = inject(read().fd(0).by("reader"), HeldUntil(never));
    let stage = Stage::new(level, vec![rule], &[]);
    // As long as somebody moves, what is waited for may still come.
    let (spinner, _output) = stage.start("spinner", stage.shell("while :; do :; done"));
    let reader = stage.victim(&["count-input", "careless"]);
    assert_eq!(stage.run("reader", reader), "0");
    let reports = stage.recorder.reports();
    assert_eq!((reports[0].n_matching, reports[0].n_fired), (1, 0));
    assert!(reports[0].is_missing());
    spinner.signal(libc::SIGKILL).unwrap();
}

fn missing(level: Level) {
    let rules = vec![
        inject(read().fd(0).nth(1000), Eintr),
        inject(read().fd(0).nth(1000), Eintr).if_reached(),
    ];
    let stage = Stage::new(level, rules, &[]);
    assert_eq!(
        stage.run("reader", stage.victim(&["count-input", "careless"])),
        "0"
    );
    let reports = stage.recorder.reports();
    assert_eq!((reports[0].n_matching, reports[0].n_fired), (1, 0));
    assert!(reports[0].is_missing() && !reports[1].is_missing());
}

fn delay(level: Level) {
    let time = Duration::from_millis(20);
    let stage = Stage::new(level, vec![inject(read().fd(0), Delayed(time))], &[]);
    let began = std::time::Instant::now();
    assert_eq!(
        stage.run("reader", stage.victim(&["count-input", "careless"])),
        "0"
    );
    assert!(began.elapsed() >= time);
    assert_eq!(stage.fired(), [1]);
}

/// As in a container whose runtime listens: a test must be able to tell that from a failure.
fn watched_already(level: Level) {
    let stage = Stage::new(level, Vec::new(), &[]);
    let mut watcher = stage.victim(&["watch-others"]);
    let folder = stage.sandbox.work_dir().to_owned();
    watcher.env = vec![("TMPDIR".into(), folder.into())];
    let said = stage.run("watcher", watcher);
    assert_eq!(said, "EBUSY");
}
