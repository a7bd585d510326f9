//! Given and finished: the program of the signals lab.
//!
//! It reads arguments, calls your library and prints; all that it knows about signals is in
//! `src/lib.rs`. Standard output carries data only, one line for each thing that happened.

use std::collections::HashMap;
use std::ffi::CString;
use std::io::{self, BufRead, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libc::c_int;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::WaitStatus;
use nix::unistd::{Pid, getpid};
use signals::{
    Event, SelfPipe, Table, count, counted, die_by, install, reap, shutdown, signal_number,
    sleep_fully, spawn_child, wait_flag,
};

const USAGE: &str = "\
usage: signals count --sig NAME...    count signals; a line on standard input asks for the counts
       signals until NAME             sleep until the signal comes
       signals nap MILLISECONDS       sleep for the whole time; USR1 does not shorten it
       signals supervise [--copies N] [--restarts N] [--grace MILLISECONDS] -- COMMAND...
                                      start COMMAND, again after a failure; HUP is passed on
NAME is USR1, TERM, RTMIN, RTMIN+1, ... or a number.";

/// Why the program ends other than well.
enum Failure {
    /// Exit code 2: what is wrong with the arguments.
    Usage(String),
    /// Exit code 1, or 5 for `EBUSY`: the operation that failed, and how.
    Io(&'static str, io::Error),
    /// Exit code 1: the operation that failed, in words.
    Failed(&'static str, String),
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "--help") {
        return match writeln!(io::stdout().lock(), "{USAGE}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let (message, code) = match run(&args) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(problem)) => (format!("{problem}\n{USAGE}"), 2),
        Err(Failure::Io(operation, error)) => {
            let code = if error.kind() == io::ErrorKind::ResourceBusy {
                5
            } else {
                1
            };
            (format!("{operation}: {error}"), code)
        }
        Err(Failure::Failed(operation, problem)) => (format!("{operation}: {problem}"), 1),
    };
    // With standard error gone too, the exit code is all that is left to say it with.
    let _ = writeln!(io::stderr().lock(), "signals: {message}");
    ExitCode::from(code)
}

fn run(args: &[String]) -> Result<(), Failure> {
    let Some((command, rest)) = args.split_first() else {
        return Err(Failure::Usage("no command".into()));
    };
    match command.as_str() {
        "count" => run_count(rest),
        "until" => run_until(rest),
        "nap" => run_nap(rest),
        "supervise" => run_supervise(rest),
        other => Err(Failure::Usage(format!("no command {other:?}"))),
    }
}

/// Turns an error of `operation` into the line and the exit code it leads to.
fn failed(operation: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::Io(operation, error)
}

/// Prints one line at once, so that a reader at a pipe sees it now.
fn say(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(failed("write"))
}

fn parse_signal(name: &str) -> Result<c_int, Failure> {
    signal_number(name).ok_or_else(|| Failure::Usage(format!("no signal {name:?}")))
}

fn parse_number(text: Option<&String>, what: &str) -> Result<u64, Failure> {
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| Failure::Usage(format!("{what} needs a number")))
}

/// Counts until TERM or INT; the counts are printed for each line of input, and at the end.
fn run_count(args: &[String]) -> Result<(), Failure> {
    let mut signals = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.next()) {
            ("--sig", Some(name)) => signals.push((name.as_str(), parse_signal(name)?)),
            _ => return Err(Failure::Usage("count takes --sig NAME".into())),
        }
    }
    if signals.is_empty() {
        return Err(Failure::Usage("count needs --sig NAME".into()));
    }
    for &(_, number) in &signals {
        count(number).map_err(failed("count"))?;
    }
    let say_counts = || {
        let counts = signals
            .iter()
            .map(|(name, number)| format!("{name}={}", counted(*number)));
        say(&counts.collect::<Vec<_>>().join(" "))
    };
    let stop = SelfPipe::new(&[Signal::SIGTERM, Signal::SIGINT]).map_err(failed("self-pipe"))?;
    say(&format!("counting {}", getpid()))?;

    let stdin = io::stdin();
    let mut at_end = false;
    loop {
        let input = (!at_end).then(|| stdin.as_fd());
        match stop.wait(input).map_err(failed("wait"))? {
            Event::Signals(_) => return say_counts(),
            Event::Input => {
                let mut buffered = stdin.lock();
                let bytes = buffered.fill_buf().map_err(failed("read"))?;
                let n_lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
                let n_bytes = bytes.len();
                buffered.consume(n_bytes);
                at_end = n_bytes == 0;
                (0..n_lines).try_for_each(|_| say_counts())?;
            }
        }
    }
}

/// Set by the handler of `until`.
static SEEN: AtomicBool = AtomicBool::new(false);

extern "C" fn set_seen(_: c_int) {
    SEEN.store(true, Ordering::Release);
}

fn run_until(args: &[String]) -> Result<(), Failure> {
    let [name] = args else {
        return Err(Failure::Usage("until takes one NAME".into()));
    };
    let number = parse_signal(name)?;
    let signal = Signal::try_from(number)
        .map_err(|_| Failure::Usage("until takes no real-time signal".into()))?;
    install(number, set_seen, false).map_err(failed("install"))?;
    say(&format!("waiting {}", getpid()))?;
    wait_flag(&SEEN, signal).map_err(failed("wait"))?;
    say(name)
}

/// The handler of `nap`: being interrupted is all that it is for.
extern "C" fn do_nothing(_: c_int) {}

fn run_nap(args: &[String]) -> Result<(), Failure> {
    let time = match args {
        [time] => Duration::from_millis(parse_number(Some(time), "nap")?),
        _ => return Err(Failure::Usage("nap takes MILLISECONDS".into())),
    };
    install(libc::SIGUSR1, do_nothing, false).map_err(failed("install"))?;
    say(&format!("napping {}", getpid()))?;
    let interruptions = sleep_fully(time).map_err(failed("sleep"))?;
    say(&format!("interrupted {interruptions}"))
}

/// What `supervise` was asked for.
struct Plan {
    command: Vec<CString>,
    copies: u64,
    /// How often each copy is started again after a failure.
    restarts: u64,
    grace: Duration,
}

impl Plan {
    fn parse(args: &[String]) -> Result<Self, Failure> {
        let mut plan = Self {
            command: Vec::new(),
            copies: 1,
            restarts: 3,
            grace: Duration::from_millis(5000),
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--copies" => plan.copies = parse_number(args.next(), arg)?,
                "--restarts" => plan.restarts = parse_number(args.next(), arg)?,
                "--grace" => {
                    plan.grace = Duration::from_millis(parse_number(args.next(), arg)?);
                }
                "--" => break,
                other => return Err(Failure::Usage(format!("no option {other:?}"))),
            }
        }
        for word in args {
            let word = CString::new(word.as_str());
            plan.command
                .push(word.expect("an argument of a program holds no NUL"));
        }
        if plan.command.is_empty() {
            return Err(Failure::Usage("supervise needs -- COMMAND".into()));
        }
        Ok(plan)
    }
}

fn run_supervise(args: &[String]) -> Result<(), Failure> {
    let plan = Plan::parse(args)?;
    let watched = [
        Signal::SIGCHLD,
        Signal::SIGHUP,
        Signal::SIGTERM,
        Signal::SIGINT,
    ];
    let signals = SelfPipe::new(&watched).map_err(failed("self-pipe"))?;
    let mut kids = Table::default();
    let outcome = supervise(&plan, &signals, &mut kids);
    // Whatever went wrong, no child is left behind.
    shutdown(&mut kids, plan.grace).map_err(failed("shutdown"))?;
    match outcome? {
        Some(signal) => die_by(signal),
        None => Ok(()),
    }
}

/// Runs until no child is left, or until a signal asks for the end: that signal is returned.
fn supervise(plan: &Plan, signals: &SelfPipe, kids: &mut Table) -> Result<Option<Signal>, Failure> {
    let mut restarts_left = HashMap::new();
    for _ in 0..plan.copies {
        restarts_left.insert(start(plan, kids)?, plan.restarts);
    }
    let mut n_given_up = 0;
    while !kids.is_empty() {
        let Event::Signals(arrived) = signals.wait(None).map_err(failed("wait"))? else {
            continue;
        };
        for signal in arrived {
            match signal {
                Signal::SIGHUP => pass_on(signal, kids),
                Signal::SIGTERM | Signal::SIGINT => return Ok(Some(signal)),
                // SIGCHLD: children are collected below, whatever woke us.
                _ => {}
            }
        }
        for (pid, code) in collect(kids)? {
            say(&format!("exited {pid} {code}"))?;
            match restarts_left.remove(&pid) {
                Some(left) if code != 0 && left > 0 => {
                    restarts_left.insert(start(plan, kids)?, left - 1);
                }
                _ => n_given_up += u64::from(code != 0),
            }
        }
    }
    match n_given_up {
        0 => Ok(None),
        n => Err(Failure::Failed(
            "supervise",
            format!("gave up {n} of {}", plan.copies),
        )),
    }
}

fn start(plan: &Plan, kids: &mut Table) -> Result<Pid, Failure> {
    let pid = spawn_child(kids, &plan.command).map_err(failed("spawn"))?;
    say(&format!("started {pid}"))?;
    Ok(pid)
}

fn pass_on(signal: Signal, kids: &Table) {
    for pid in kids.pids() {
        // A child in the table is not reaped, so its number is its own and this cannot fail.
        let _ = kill(pid, signal);
    }
}

/// Takes the children that have ended out of the table, with their exit codes as a shell
/// reports them.
fn collect(kids: &mut Table) -> Result<Vec<(Pid, i32)>, Failure> {
    let mut ended = Vec::new();
    reap(&mut |pid, status| {
        kids.remove(pid);
        match status {
            WaitStatus::Exited(_, code) => ended.push((pid, code)),
            WaitStatus::Signaled(_, signal, _) => ended.push((pid, 128 + signal as i32)),
            _ => {}
        }
    })
    .map_err(failed("reap"))?;
    Ok(ended)
}
