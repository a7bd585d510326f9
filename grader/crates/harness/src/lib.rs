//! What a hidden test is written with: the TESTS table, boxed programs, dribbled input, evidence.
//!
//! A lab's hidden tests are one *verdict program*: a table of [`Test`]s and `harness::main(LAB,
//! TESTS)`. Each test runs in a process of its own. That process opens one box, starts the
//! submission's programs in it, watches them from outside, and reports what it saw as one record
//! of evidence. It never contains the submission, and believes only the kernel, the other end of
//! an IPC object, and values the submission could not have been told in advance.
//!
//! | module | what it gives a test |
//! |---|---|
//! | `table` | one row of the rubric with its function |
//! | `bench` | the box, the work folder, names, randomness, properties |
//! | `launch` | how a program of the submission is started |
//! | `process` | a running program: feed, watch, signal, finish |
//! | `probe` | calls of single functions of the submission's library |
//! | `watch` | recorded system calls, and rules that make them fail, fall short or wait |
//! | `exploring` | a scene with shared memory, played under every schedule that can matter |
//! | `stop` | how a test ends early: something is wrong, or we are at fault |
//!
//! It knows nothing of how submissions are stored, scored or reported.

mod bench;
mod blame;
mod capture;
mod clock;
mod done;
mod entry;
mod excerpt;
mod excerpt_of_story;
mod exploring;
mod faults;
mod launch;
mod probing;
mod process;
mod property;
mod request;
mod starving;
mod stop;
mod table;
mod watch;
mod watchdog;

pub use bench::Bench;
pub use done::Done;
pub use entry::main;
pub use exploring::Turn;
pub use faults::faults;
pub use instruments::inject;
pub use launch::{Input, Launch, Output};
pub use model::{Limits, Symptom};
pub use probe::{Fields, Reply};
pub use probing::Probe;
pub use process::Process;
pub use request::Request;
pub use stop::{Check, Stop, ensure, ensure_eq, found, wrong};
pub use table::Test;
pub use watch::Watch;
