//! The measurement itself: warm up, stream, round trips, each side with its own counters.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, alarm, fork, getppid};

use crate::channel::{Channel, End, Open};
use crate::futex;
use crate::message;
use crate::meter::Meter;
use crate::{Cost, Mechanism, Sample, Workload};

/// What to measure.
pub(crate) struct Setting {
    pub(crate) mechanism: Mechanism,
    pub(crate) workload: Workload,
    pub(crate) every_byte: bool,
    pub(crate) count_futex: bool,
}

/// A measurement takes a fraction of a second; after this many it is given up.
const PATIENCE_S: u32 = 60;

/// What the child has to tell in the end.
#[derive(serde::Serialize, serde::Deserialize)]
struct Told {
    sender: Cost,
    round_trip_ns: u64,
}

/// Measures with the channels that `open` makes, and with the child as the sender of the stream.
///
/// # Errors
/// What making or using the channel says; `InvalidData` if a message arrives changed.
pub(crate) fn run(setting: &Setting, open: Open) -> io::Result<Sample> {
    // Functions of a lab that is not right yet may wait for ever. SIGALRM ends this process, and
    // the child goes with it.
    alarm::set(PATIENCE_S);
    if setting.count_futex {
        futex::count()?;
    }
    let Workload { size, .. } = setting.workload;
    let open = || open(setting.mechanism, size);
    let (mut forth, mut back) = (open()?, open()?);
    let (wait_for_go, go) = io::pipe()?;
    let (told, tell) = io::pipe()?;
    // SAFETY: this process has one thread, so the child may do whatever the parent may.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop((go, told));
            spread_out(setting.mechanism, End::Sends);
            forth.keep(End::Sends);
            back.keep(End::Receives);
            child(setting, forth, back, wait_for_go, tell)
        }
        ForkResult::Parent { child } => {
            drop((wait_for_go, tell));
            spread_out(setting.mechanism, End::Receives);
            forth.keep(End::Receives);
            back.keep(End::Sends);
            let sample = receive(setting, forth.as_mut(), back.as_mut(), go, told);
            if sample.is_err() {
                // It may sleep in a call that nobody will ever end. If it is gone, so be it.
                let _ = kill(child, Signal::SIGKILL);
            }
            waitpid(child, None)?;
            sample
        }
    }
}

/// The child: whatever becomes of it, neither process is left waiting for the other.
fn child(
    setting: &Setting,
    mut forth: Box<dyn Channel>,
    mut back: Box<dyn Channel>,
    go: PipeReader,
    tell: PipeWriter,
) -> ! {
    let parent = getppid();
    let sent = set_pdeathsig(Signal::SIGKILL)
        .map_err(io::Error::from)
        .and_then(|()| {
            let work = || send(setting, forth.as_mut(), back.as_mut(), go, tell);
            catch_unwind(AssertUnwindSafe(work))
                .unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
        });
    if let Err(error) = sent {
        let _ = writeln!(io::stderr(), "{}: the sender: {error}", setting.mechanism);
        let _ = kill(parent, Signal::SIGTERM);
    }
    // SAFETY: _exit only ends the process; what the parent has yet to run is not run twice.
    unsafe { libc::_exit(0) }
}

/// Gives the two processes of a spinning pair a core each, where there are two. Everybody else is
/// placed by the scheduler, which sees who waits for whom; a process that spins never waits.
fn spread_out(mechanism: Mechanism, end: End) {
    if mechanism != Mechanism::ShmSpinning {
        return;
    }
    let Ok(allowed) = sched_getaffinity(Pid::from_raw(0)) else {
        return;
    };
    let mut cores = (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false));
    if let Some(core) = cores.nth(usize::from(end == End::Receives)) {
        let mut only = CpuSet::new();
        // Where this is refused the pair shares a core, and yields: slower, and still right.
        let _ = only
            .set(core)
            .and_then(|()| sched_setaffinity(Pid::from_raw(0), &only));
    }
}

/// Messages before the counting starts: pages get mapped and buffers allocated.
fn warm_up(workload: &Workload) -> u64 {
    (workload.messages / 8).clamp(2, 2048)
}

fn send(
    setting: &Setting,
    forth: &mut dyn Channel,
    back: &mut dyn Channel,
    mut go: PipeReader,
    mut tell: PipeWriter,
) -> io::Result<()> {
    let Workload {
        size,
        messages,
        rounds,
    } = setting.workload;
    let mut message = vec![0; size.bytes()];
    let mut put = |number: u64, forth: &mut dyn Channel| {
        message::write(&mut message, number, setting.every_byte);
        forth.send(&message)
    };
    for number in 0..warm_up(&setting.workload) {
        put(number, forth)?;
    }
    go.read_exact(&mut [0])?;
    let meter = Meter::start(forth.unseen())?;
    for number in 0..messages {
        put(number, forth)?;
    }
    let sender = meter.stop(forth.unseen())?;

    let mut times = Vec::with_capacity(usize::try_from(rounds).map_err(io::Error::other)?);
    let mut answer = vec![0; size.bytes()];
    for number in 0..rounds {
        let start = Instant::now();
        put(number, forth)?;
        back.receive(&mut answer)?;
        times.push(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        message::check(&answer, number, setting.every_byte)?;
    }
    times.sort_unstable();
    let round_trip_ns = times[times.len() / 2];
    serde_json::to_writer(
        &mut tell,
        &Told {
            sender,
            round_trip_ns,
        },
    )?;
    Ok(())
}

fn receive(
    setting: &Setting,
    forth: &mut dyn Channel,
    back: &mut dyn Channel,
    mut go: PipeWriter,
    told: PipeReader,
) -> io::Result<Sample> {
    let Workload {
        size,
        messages,
        rounds,
    } = setting.workload;
    let mut message = vec![0; size.bytes()];
    let mut take = |number: u64, forth: &mut dyn Channel| {
        forth.receive(&mut message)?;
        message::check(&message, number, setting.every_byte)
    };
    for number in 0..warm_up(&setting.workload) {
        take(number, forth)?;
    }
    let start = Instant::now();
    go.write_all(&[1])?;
    let meter = Meter::start(forth.unseen())?;
    for number in 0..messages {
        take(number, forth)?;
    }
    let stream_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let receiver = meter.stop(forth.unseen())?;

    for number in 0..rounds {
        forth.receive(&mut message)?;
        message::check(&message, number, setting.every_byte)?;
        back.send(&message)?;
    }
    let told: Told = serde_json::from_reader(told)?;
    Ok(Sample {
        mechanism: setting.mechanism,
        size,
        messages,
        stream_ns,
        round_trip_ns: told.round_trip_ns,
        sender: told.sender,
        receiver,
    })
}
