//! Shared objects and sleeping programs, looked at from outside: by name, by /proc, by plain reads
//! of the files in /dev/shm. This test never maps what a submission may cut short.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use harness::{Bench, Check, Fields, Probe, Process, Symptom, found, wrong};
use instruments::proc::Activity;

/// The ready word of a complete object.
pub(crate) const READY: &[u8] = b"SHM1";

/// Where the words of the header are, in bytes, as the handout draws them.
const HEAD: u64 = 16;
const TAIL: u64 = 24;
const EMPTY: u64 = 64;
const FULL: u64 = 128;
/// Where the first slot is.
pub(crate) const SLOTS: u64 = 192;

/// A name for a buffer, with what is behind it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// "/ring-5f1c20".
    pub(crate) name: String,
}

impl Named {
    pub(crate) fn new(bench: &Bench, tag: &str) -> Self {
        Self {
            name: bench.name(tag),
        }
    }

    /// The object as a file.
    pub(crate) fn object(&self) -> PathBuf {
        PathBuf::from(format!("/dev/shm{}", self.name))
    }

    /// The lock as a file.
    pub(crate) fn lock_file(&self) -> PathBuf {
        PathBuf::from(format!("/dev/shm/sem.{}", &self.name[1..]))
    }

    /// The names that are there now.
    pub(crate) fn left(&self) -> Vec<String> {
        [self.object(), self.lock_file()]
            .iter()
            .filter(|path| fs::symlink_metadata(path).is_ok())
            .map(|path| path.display().to_string())
            .collect()
    }

    /// All bytes of the object.
    pub(crate) fn bytes(&self) -> Check<Vec<u8>> {
        fs::read(self.object()).map_err(|error| {
            let what = format!("reading {}", self.object().display());
            found(
                Symptom::Mechanism,
                what,
                "the shared object is a file there",
                error.to_string(),
            )
        })
    }

    /// Items popped so far.
    pub(crate) fn head(&self) -> Check<u64> {
        self.word(self.object(), HEAD)
    }

    /// Items pushed so far.
    pub(crate) fn tail(&self) -> Check<u64> {
        self.word(self.object(), TAIL)
    }

    /// The value of the semaphore that counts empty slots.
    pub(crate) fn empty(&self) -> Check<u32> {
        Ok(value(self.word(self.object(), EMPTY)?))
    }

    /// The value of the semaphore that counts full slots.
    pub(crate) fn full(&self) -> Check<u32> {
        Ok(value(self.word(self.object(), FULL)?))
    }

    /// The value of the lock: 1 free, 0 taken.
    pub(crate) fn lock(&self) -> Check<u32> {
        Ok(value(self.word(self.lock_file(), 0)?))
    }

    fn word(&self, path: PathBuf, offset: u64) -> Check<u64> {
        let mut word = [0; 8];
        File::open(&path)
            .and_then(|file| file.read_exact_at(&mut word, offset))
            .map_err(|error| {
                let what = format!("8 bytes at {offset} of {}", path.display());
                found(
                    Symptom::Mechanism,
                    what,
                    "they are there",
                    error.to_string(),
                )
            })?;
        Ok(u64::from_ne_bytes(word))
    }

    /// `shm COMMAND --name NAME OPTIONS`.
    pub(crate) fn program(&self, bench: &Bench, words: &[&str]) -> harness::Launch {
        let (command, options) = words.split_first().expect("a command");
        bench.program([command, "--name", &self.name]).args(options)
    }

    /// Makes the buffer with the submission's program.
    pub(crate) fn create(&self, bench: &Bench, capacity: u32, item_max: u32) -> Check {
        let (capacity, item_max) = (capacity.to_string(), item_max.to_string());
        let words = ["create", "--capacity", &capacity, "--item-max", &item_max];
        self.program(bench, &words)
            .run(b"")?
            .expect_code(0, "with a new name")
    }

    /// Pushes lines with a program that ends by itself.
    pub(crate) fn produce(&self, bench: &Bench, lines: &[u8], case: &str) -> Check {
        self.program(bench, &["produce"])
            .run(lines)?
            .expect_code(0, case)
    }

    /// Starts a producer that has its whole input already.
    pub(crate) fn start_producer(&self, bench: &Bench, lines: &[u8]) -> Check<Process> {
        let mut producer = self
            .program(bench, &["produce"])
            .stdin(harness::Input::Pipe)
            .start()?;
        producer.feed(lines)?;
        producer.close_stdin();
        Ok(producer)
    }

    /// Starts a consumer that pops up to `count` items.
    pub(crate) fn start_consumer(&self, bench: &Bench, count: u32) -> Check<Process> {
        self.program(bench, &["consume", "--count", &count.to_string()])
            .start()
    }

    /// Waits until the program has mapped the object and sleeps. Ending and spinning are findings;
    /// `what` says what it should wait for.
    pub(crate) fn until_waiting(&self, bench: &Bench, program: &Process, what: &str) -> Check {
        let proc = program.proc();
        let is_mapped = || match proc.maps() {
            Some(maps) => maps.iter().any(|mapping| mapping.name.contains(&self.name)),
            None => true, // what cannot be read is no evidence
        };
        let spins = || proc.cpu().is_some_and(|cpu| cpu > SPINNING);
        bench.until(|| program.exit().is_some() || spins() || (proc.is_asleep() && is_mapped()));
        if program.exit().is_none() && !proc.is_asleep() && spins() {
            let got = format!("more than {} ms of CPU time", SPINNING.as_millis());
            let what = format!("`{}` does not sleep, {what}", program.command());
            return Err(found(
                Symptom::BusyWait,
                what,
                "it sleeps in the kernel",
                got,
            ));
        }
        if program.exit().is_some() {
            // It says what the program should have waited for.
            return program.sleeps_soundly(Duration::ZERO, what);
        }
        program.until_asleep()
    }
}

/// More CPU time than any program of this lab needs to start and open a buffer.
const SPINNING: Duration = Duration::from_millis(500);

/// The value of a semaphore: glibc keeps it in the low half of its first word, the number of
/// sleepers in the high half.
fn value(word: u64) -> u32 {
    (word & u64::from(u32::MAX)) as u32
}

/// Waits until the probe sleeps inside the call that was sent to it. A probe that sleeps at its
/// wire has answered already, which is a wrong answer; `what` says what it should wait for.
pub(crate) fn until_inside(probe: &mut Probe, call: &str, what: &str) -> Check {
    probe.process.until_asleep()?;
    // Only now: what it was doing before it slept says nothing of where it sleeps.
    let answered = match probe.process.proc().main().activity() {
        Some(Activity::Inside(syscall)) => syscall.number == libc::SYS_recvfrom,
        _ => false,
    };
    if !answered {
        return Ok(());
    }
    let answer = match probe.receive(call)? {
        harness::Reply::Value(_) => "it returned Ok".to_owned(),
        harness::Reply::Error { text, .. } => format!("it returned the error: {text}"),
    };
    Err(wrong(call, what, answer))
}

/// A random line without its end, as nobody could guess it.
pub(crate) fn word(bench: &Bench) -> String {
    format!("{:016x}", bench.number(0..u64::MAX))
}

/// Arguments of a call that begin with a name.
pub(crate) fn named(named: &Named) -> Fields {
    Fields::new().bytes(&named.name)
}
