//! Calls single functions of a submission's `signals` library and says what came back.
//!
//! It knows no expectation. It has one thread, so that a signal has only one place to go.

use std::hint::black_box;
use std::io::{self, Write};
use std::mem;
use std::ptr;
use std::time::{Duration, Instant};

use libc::{SIGALRM, c_int};
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{ForkResult, fork};
use probe::{Answer, Call, Fields, serve};
use signals::{MaskGuard, SelfPipe};

/// What has been made by one call and is used or dropped by a later one.
#[derive(Default)]
struct Held {
    /// The newest guard last.
    guards: Vec<MaskGuard>,
    pipe: Option<SelfPipe>,
}

fn main() {
    let mut held = Held::default();
    serve(move |call| match call.name() {
        "install" => install(call),
        "read" => read(call),
        "block" => {
            held.guards.push(signals::block(&signals_of(call)?)?);
            Ok(Fields::new())
        }
        "drop_guard" => {
            held.guards.pop();
            Ok(Fields::new())
        }
        "self_pipe" => {
            // An older one lives on until the new one is made.
            held.pipe = Some(SelfPipe::new(&signals_of(call)?)?);
            Ok(Fields::new())
        }
        "drop_self_pipe" => {
            held.pipe = None;
            Ok(Fields::new())
        }
        "raise" => raise(call),
        "errno_across" => errno_across(call),
        "drain" => {
            let pipe = held
                .pipe
                .as_ref()
                .ok_or_else(|| io::Error::other("no self-pipe yet"))?;
            let arrived = pipe.drain()?;
            Ok(arrived
                .into_iter()
                .fold(Fields::new(), |all, sig| all.value(sig as c_int)))
        }
        "reap" => reap(call),
        "die_by" => signals::die_by(Signal::try_from(call.value::<c_int>(0))?),
        "sleep_under_signals" => sleep_under_signals(call),
        "storm_on_counts" => storm_on_counts(call),
        "storm_on_self_pipe" => storm_on_self_pipe(call),
        unknown => Err(io::Error::other(format!("no function {unknown}"))),
    })
}

/// Arguments: how many signals, and their numbers.
fn signals_of(call: &Call) -> io::Result<Vec<Signal>> {
    let signal = |index: usize| Ok(Signal::try_from(call.value::<c_int>(1 + index))?);
    (0..call.value(0)).map(signal).collect()
}

extern "C" fn do_nothing(_: c_int) {}

/// Arguments: a signal, whether calls restart. Gives back whether the disposition before was the
/// default one.
fn install(call: &Call) -> Answer {
    let old = signals::install(call.value(0), do_nothing, call.value(1))?;
    Ok(Fields::new().value(old.sa_sigaction == libc::SIG_DFL))
}

/// Argument: a descriptor. One read(2) of one byte, as it is.
fn read(call: &Call) -> Answer {
    let mut byte = [0];
    nix::unistd::read(call.fd(0), &mut byte)?;
    Ok(Fields::new().bytes(byte))
}

/// Arguments: a signal, how often to raise it.
fn raise(call: &Call) -> Answer {
    for _ in 0..call.value::<u32>(1) {
        // SAFETY: raise takes a number and checks it.
        Errno::result(unsafe { libc::raise(call.value(0)) })?;
    }
    Ok(Fields::new())
}

/// Arguments: a signal, an errno. Gives back what has become of the errno once the signal has
/// been handled.
fn errno_across(call: &Call) -> Answer {
    let signal = call.value(0);
    Errno::set_raw(call.value(1));
    // SAFETY: raise takes a number and checks it.
    let raised = unsafe { libc::raise(signal) };
    let after = Errno::last_raw();
    match raised {
        0 => Ok(Fields::new().value(after)),
        _ => Err(io::Error::from_raw_os_error(after)),
    }
}

/// Arguments: how many children to make, and the signal that each of them dies by. Calls the function
/// when all of them have ended. Gives back the number it returned, and how many children it told of.
fn reap(call: &Call) -> Answer {
    let mut kids = Vec::new();
    for index in 0..call.value(0) {
        let signal: c_int = call.value(1 + index);
        // SAFETY: the child does nothing but end, without the probe's clean-up.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => kids.push(child),
            // SAFETY: as above.
            ForkResult::Child => unsafe {
                libc::raise(signal);
                libc::_exit(0)
            },
        }
    }
    for kid in kids {
        // WNOWAIT leaves it to the function to reap. The call is not nix's, which has no name for
        // a death by a real-time signal.
        // SAFETY: a siginfo_t of zeros is valid, and it is only written to.
        let mut info = unsafe { mem::zeroed() };
        let flags = libc::WEXITED | libc::WNOWAIT;
        // SAFETY: as above.
        Errno::result(unsafe { libc::waitid(libc::P_PID, kid.as_raw() as u32, &mut info, flags) })?;
    }
    let mut n_told = 0;
    let n_reaped = signals::reap(&mut |_, _| n_told += 1)?;
    Ok(Fields::new().value(n_reaped).value(n_told))
}

/// Arguments: how long to sleep and how often to send a signal meanwhile, in milliseconds. Gives
/// back how long it was, and how many interruptions the function counted.
fn sleep_under_signals(call: &Call) -> Answer {
    // signal(3) would ask for SA_RESTART, and then nobody who sleeps in read(2) is interrupted.
    let interrupting = SigAction::new(
        SigHandler::Handler(do_nothing),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handler does nothing, which is safe at any moment.
    unsafe { sigaction(Signal::SIGALRM, &interrupting) }?;
    let time = Duration::from_millis(call.value(0));
    set_timer(call.value::<i64>(1) * 1000)?;
    let begin = Instant::now();
    let interruptions = signals::sleep_fully(time);
    let slept = begin.elapsed();
    set_timer(0)?;
    Ok(Fields::new().value(slept.as_millis()).value(interruptions?))
}

/// The time between two signals, in microseconds.
const PERIOD: i64 = 50;

/// Argument: milliseconds. Reads the count all the time; gives back how often, and the count.
fn storm_on_counts(call: &Call) -> Answer {
    signals::count(SIGALRM)?;
    let n_beats = storm(call, || {
        for _ in 0..20 {
            black_box(signals::counted(SIGALRM));
        }
        Ok(())
    })?;
    Ok(Fields::new()
        .value(n_beats)
        .value(signals::counted(SIGALRM)))
}

/// Argument: milliseconds. Drains all the time; gives back how often, and how many drains found
/// the signal.
fn storm_on_self_pipe(call: &Call) -> Answer {
    let pipe = SelfPipe::new(&[Signal::SIGALRM])?;
    let mut n_found = 0;
    let n_beats = storm(call, || {
        n_found += usize::from(!pipe.drain()?.is_empty());
        Ok(())
    })?;
    Ok(Fields::new().value(n_beats).value(n_found))
}

/// A main program in the middle of its work, under a timer that signals it all the time. Gives
/// back how many rounds of work were done.
///
/// The work is what handlers get wrong: it prints, allocates, and uses the library that the
/// handler belongs to. The timer fires on the processor that does the work, so it interrupts
/// every stretch of the work sooner or later, also on a machine with one processor.
fn storm(call: &Call, mut work: impl FnMut() -> io::Result<()>) -> io::Result<u64> {
    let end = Instant::now() + Duration::from_millis(call.value(0));
    let mut n_beats = 0;
    set_timer(PERIOD)?;
    while Instant::now() < end {
        work()?;
        let line = format!("beat {n_beats}");
        // Nobody reads it; what counts is the lock that is held meanwhile.
        writeln!(io::stdout(), "{line}")?;
        n_beats += 1;
    }
    set_timer(0)?;
    Ok(n_beats)
}

/// Sends SIGALRM to this process every `microseconds`; stops if that is 0.
fn set_timer(microseconds: i64) -> io::Result<()> {
    let every = libc::timeval {
        tv_sec: 0,
        tv_usec: microseconds,
    };
    let timer = libc::itimerval {
        it_interval: every,
        it_value: every,
    };
    // SAFETY: the timer lives on this stack; the old one is not asked for.
    Errno::result(unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, ptr::null_mut()) })?;
    Ok(())
}
