//! The verdict program's main: list the rubric, or run one test and report its evidence.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use model::{Ended, Evidence, Timeline};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::Signal;
use nix::sys::time::TimeValLike;
use sandbox::{Bind, BoxSpec, Sandbox};

use crate::bench::{ORDERS, SEAT, Session};
use crate::blame::{Instrument, for_want_of};
use crate::{Bench, Request, Stop, Test, Watch, table, watchdog};

/// Runs the verdict program of one lab.
///
/// With `--rubric` it prints the rubric as JSON. Otherwise it reads one [`Request`] from standard
/// input, runs that test, and writes one [`Evidence`] to standard output. It exits 0 whenever it
/// could do that, whatever it saw; 2 when it was asked for something it does not have.
pub fn main(lab: &'static str, tests: &'static [Test]) -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some("--rubric") => print_rubric(lab, tests),
        _ => answer(lab, tests),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{lab}: {error}");
            ExitCode::from(2)
        }
    }
}

fn print_rubric(lab: &str, tests: &[Test]) -> io::Result<()> {
    serde_json::to_writer(io::stdout(), &table::rubric(lab, tests))?;
    writeln!(io::stdout())
}

fn answer(lab: &'static str, tests: &'static [Test]) -> io::Result<()> {
    let started = Instant::now();
    let pipeline = nix::unistd::getppid();
    let mut request = String::new();
    io::stdin().read_to_string(&mut request)?;
    let request: Request = serde_json::from_str(&request)?;
    let Some(test) = tests.iter().find(|test| test.id == request.test) else {
        return Err(io::Error::other(format!(
            "no hidden test is called {}",
            request.test
        )));
    };
    // The evidence goes out on a descriptor of its own: whatever a test or a library prints
    // ends on standard error and cannot spoil it.
    let record = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    nix::unistd::dup2_stdout(io::stderr()).map_err(io::Error::from)?;

    // An autopsy names who holds the other end of an object; students know nobody "verdict".
    nix::sys::prctl::set_name(c"the test").map_err(io::Error::from)?;

    let report = Report {
        record,
        started,
        seed: request.seed,
        isolation: request.level.clone(),
    };
    // Only now: the box hides the folder of the seat from us, too.
    let has_orders = request.seat.join(ORDERS).exists();
    match open_box(&request) {
        Err(error) => report.send(
            None,
            Ended::Fault {
                text: format!("opening the box: {error}"),
            },
        ),
        Ok(sandbox) => {
            // Only now: changing the user while opening the box would clear it again.
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from)?;
            if nix::unistd::getppid() != pipeline {
                return Ok(()); // it was killed before: nobody wants to know
            }
            let session = Arc::new(Session::new(sandbox, test.limits));
            let bench = Bench::new(
                Arc::clone(&session),
                lab,
                &request.seat,
                request.seed,
                has_orders,
            );
            run(report, session, &bench, test);
        }
    }
    Ok(())
}

fn open_box(request: &Request) -> Result<Sandbox, String> {
    let level = request
        .level
        .parse()
        .map_err(|_| format!("no rung {}", request.level))?;
    let seat = Bind {
        source: request.seat.clone(),
        target: SEAT.into(),
        writable: false,
    };
    let spec = BoxSpec {
        binds: vec![seat],
        ..BoxSpec::default()
    };
    Sandbox::open(&spec, level).map_err(|error| error.to_string())
}

fn run(report: Report, session: Arc<Session>, bench: &Bench, test: &'static Test) {
    let reported = Arc::new(AtomicBool::new(false));
    let report = Arc::new(report);
    let (theirs, their_session) = (Arc::clone(&report), Arc::clone(&session));
    watchdog::start(Arc::clone(&session), Arc::clone(&reported), move |ended| {
        theirs.send(Some(&their_session), ended);
        std::process::exit(0);
    });

    let ended = match catch_unwind(AssertUnwindSafe(|| (test.run)(bench))) {
        Ok(Ok(())) => watched_to_the_end(&session),
        Ok(Err(Stop::Unavailable(text))) => Ended::Unavailable { text },
        Ok(Err(Stop::Found(finding))) => {
            session.settle();
            Ended::Found { finding }
        }
        Ok(Err(Stop::Fault(text))) => match session.is_full() {
            Some(finding) => Ended::Found { finding },
            None => Ended::Fault { text },
        },
        Err(_) => Ended::Fault {
            text: format!("the test {} panicked", test.id),
        },
    };
    if reported.swap(true, Ordering::SeqCst) {
        // The watchdog was first and ends this process.
        loop {
            std::thread::park();
        }
    }
    report.send(Some(&session), ended);
}

/// The end of a test that found nothing wrong. It proves something only if its faults were met.
///
/// A program that ended by itself, as the test demanded, may have needed no call of the kind that
/// a rule waited for: that is for `verify` to judge, by the reference. But a program that still
/// runs, or that the test killed, was cut off before the fault.
fn watched_to_the_end(session: &Arc<Session>) -> Ended {
    let watches = session.watches();
    let troubles: Vec<String> = watches.iter().flat_map(Watch::troubles).collect();
    if !troubles.is_empty() {
        let text = troubles.join("; ");
        return match for_want_of(session, Instrument::Descriptors, text) {
            Stop::Unavailable(text) => Ended::Unavailable { text },
            Stop::Fault(text) => Ended::Fault { text },
            Stop::Found(finding) => Ended::Found { finding },
        };
    }
    let missed: Vec<String> = watches.iter().flat_map(Watch::missed).collect();
    let was_cut_off = session
        .seen()
        .iter()
        .any(|seen| seen.is_watched && !seen.ended_by_itself());
    if !missed.is_empty() && was_cut_off {
        let text = format!("never injected: {}", missed.join(", "));
        return Ended::Fault { text };
    }
    Ended::Clean
}

/// Where the evidence goes, and what is known from the start.
struct Report {
    record: File,
    started: Instant,
    seed: u64,
    isolation: String,
}

impl Report {
    /// Closes the box and writes the evidence. A pipeline that is gone has given up on us.
    fn send(&self, session: Option<&Session>, ended: Ended) {
        let mut programs = Vec::new();
        let mut survivors = 0;
        let mut timeline = Timeline::default();
        let mut missed = Vec::new();
        if let Some(session) = session {
            programs = session
                .seen()
                .iter()
                .filter(|seen| seen.is_submission)
                .map(|seen| seen.program())
                .collect();
            missed = session.missed();
            if ended != Ended::Clean {
                timeline = session.timeline();
            }
            survivors = session.close().map_or(0, |leftovers| leftovers.processes);
        }
        let evidence = Evidence {
            ended,
            programs,
            seed: self.seed,
            wall_ms: millis(self.started.elapsed()),
            cpu_ms: cpu_ms(UsageWho::RUSAGE_SELF) + cpu_ms(UsageWho::RUSAGE_CHILDREN),
            isolation: self.isolation.clone(),
            survivors,
            timeline,
            missed,
        };
        let mut line = serde_json::to_vec(&evidence).expect("evidence is plain data");
        line.push(b'\n');
        let _ = (&self.record).write_all(&line);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn cpu_ms(who: UsageWho) -> u64 {
    getrusage(who)
        .map(|usage| usage.user_time().num_milliseconds() + usage.system_time().num_milliseconds())
        .map_or(0, |ms| u64::try_from(ms).unwrap_or(0))
}
