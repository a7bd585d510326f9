//! What a submission costs, step by step, beside the bare floor: the same compilers and the same
//! hidden tests without anything around them.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use model::Outcome;
use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::unistd::Pid;

use crate::build::{Built, build, request};
use crate::run::{TestOptions, bare_test, run_tests};
use crate::seat::Seat;
use crate::{Kit, SourceTree, Stopped};
use sandbox::Level;

/// What a piece of work took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// From start to end.
    pub wall: Duration,
    /// CPU time of this process and of the children that it has waited for.
    pub cpu: Duration,
}

/// Does something and says what it took. Nothing else may run in this process meanwhile.
pub fn cost<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (started, before) = (Instant::now(), cpu());
    let value = work();
    let cost = Cost {
        wall: started.elapsed(),
        cpu: cpu().saturating_sub(before),
    };
    (value, cost)
}

/// Does something with one core for the calling thread and for every process that it starts.
///
/// # Errors
/// If the kernel does not let this process choose its cores.
pub fn on_one_core<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    let me = Pid::from_raw(0);
    let all = sched_getaffinity(me)?;
    let mut one = CpuSet::new();
    one.set(sched_getcpu()?)?;
    sched_setaffinity(me, &one)?;
    let value = work();
    sched_setaffinity(me, &all)?;
    Ok(value)
}

fn cpu() -> Duration {
    let time = |time: TimeVal| {
        Duration::from_secs(u64::try_from(time.tv_sec()).unwrap_or_default())
            + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or_default())
    };
    let of = |who| getrusage(who).map(|usage| time(usage.user_time()) + time(usage.system_time()));
    [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN]
        .into_iter()
        .filter_map(|who| of(who).ok())
        .sum()
}

/// One lab, and what it takes to grade it.
#[derive(Clone, Debug)]
pub struct Workbench<'a> {
    /// The lab.
    pub kit: &'a Kit,
    /// How hidden tests are run.
    pub tests: TestOptions,
    /// The program that opens boxes for builds.
    pub helper: PathBuf,
}

impl Workbench<'_> {
    /// The compile phase: a seat, three compilers in a box. Whether it compiles.
    ///
    /// # Errors
    /// If we are at fault.
    pub fn build(&self, sources: &SourceTree) -> io::Result<bool> {
        let seat = Seat::prepare(self.kit, sources)?;
        self.build_in(&seat)
    }

    /// Compiles and runs all hidden tests: how many passed.
    ///
    /// # Errors
    /// If we are at fault, or the submission does not compile.
    pub fn grade(&self, sources: &SourceTree) -> io::Result<usize> {
        let seat = Seat::prepare(self.kit, sources)?;
        if !self.build_in(&seat)? {
            return Err(io::Error::other("the submission does not compile"));
        }
        let passed = std::sync::Mutex::new(0);
        let programs = seat.programs();
        run_tests(
            self.kit,
            &programs,
            &self.tests,
            BTreeMap::new(),
            |_, judged| {
                let is_pass = judged.0.outcome == Outcome::Pass;
                *passed.lock().expect("no holder of this lock panics") += usize::from(is_pass);
                Ok::<(), Stopped>(())
            },
        )
        .map_err(io::Error::from)?;
        Ok(passed.into_inner().expect("no holder of this lock panics"))
    }

    /// The floor of [`build`](Self::build): the same calls of rustc without a box, `n_steps` of
    /// library, program and probe. Whether they succeeded.
    ///
    /// # Errors
    /// If the disk or the compiler's start fails.
    pub fn bare_build(&self, sources: &SourceTree, n_steps: usize) -> io::Result<bool> {
        let seat = Seat::prepare(self.kit, sources)?;
        self.bare_build_in(&seat, n_steps)
    }

    /// The floor of [`grade`](Self::grade): bare compilers, then each hidden test's program with
    /// nobody who judges.
    ///
    /// # Errors
    /// If the disk or a start fails.
    pub fn bare_grade(&self, sources: &SourceTree) -> io::Result<()> {
        let seat = Seat::prepare(self.kit, sources)?;
        self.bare_build_in(&seat, 3)?;
        for name in ["probe", &self.kit.lab.name] {
            seat.take_program(name)?;
        }
        let next = std::sync::Mutex::new(self.kit.rubric.rows.iter());
        let take = || next.lock().expect("no holder of this lock panics").next();
        let programs = seat.programs();
        thread::scope(|scope| {
            let run = || -> io::Result<()> {
                while let Some(row) = take() {
                    bare_test(self.kit, &programs, &self.tests, row)?;
                }
                Ok(())
            };
            let workers: Vec<_> = (0..self.tests.parallel).map(|_| scope.spawn(run)).collect();
            workers.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))
            })
        })
    }

    fn build_in(&self, seat: &Seat) -> io::Result<bool> {
        match build(self.kit, seat, &self.tests, &self.helper) {
            Built::Programs => Ok(true),
            Built::Refused(_) => Ok(false),
            Built::Fault(reason) => Err(io::Error::other(reason)),
        }
    }

    fn bare_build_in(&self, seat: &Seat, n_steps: usize) -> io::Result<bool> {
        let (cwd, steps) = request(self.kit, seat, Level::None).into_steps();
        for step in steps.iter().take(n_steps) {
            let mut rustc = Command::new(&step[0]);
            rustc.args(&step[1..]).current_dir(&cwd).env_clear();
            rustc.env("PATH", "/usr/bin:/bin").stderr(Stdio::null());
            if !rustc.status()?.success() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
