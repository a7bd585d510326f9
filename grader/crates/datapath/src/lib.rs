//! One measurement of one data path: forks, sends a stream of messages from the child to the
//! parent, then single messages there and back, and counts what that costs both.
//!
//! | to do this | look in |
//! |---|---|
//! | know the mechanisms and the path that a byte takes in each | [`mechanism`] |
//! | bring a message across in a new way | the trait [`Channel`] |
//! | read what one measurement said | [`sample`] |
//! | know what is counted, and how | `meter.rs` |
//! | change what the two processes do | `measure.rs` |
//!
//! Whose functions move the bytes is for the programs that are made of this crate: `datapath-labs`,
//! and beside the solutions `datapath-reference` and `datapath-plain`. It knows no lab, and nothing
//! of repeats.

mod channel;
mod futex;
mod measure;
pub mod mechanism;
mod message;
mod meter;
pub mod sample;
pub mod size;

use std::io::{self, Write};
use std::process::ExitCode;

pub use channel::{Channel, End, MOST_SLOTS, Open, Unseen, slots, spin};
use measure::Setting;
pub use mechanism::Mechanism;
pub use sample::{Cost, Sample, Workload};
pub use size::Size;

/// The whole of a program that measures: reads its arguments, measures once with the channels that
/// `open` makes, and prints one [`Sample`] as JSON.
///
/// ```text
/// PROGRAM MECHANISM SIZE MESSAGES ROUNDS [--every-byte] [--count-futex]
/// ```
///
/// `--every-byte` fills and compares whole messages, which costs time, instead of only the number
/// that each carries. `--count-futex` counts also the calls of futex(2), which makes each of them take
/// longer. The program must have one thread and be started anew for each measurement,
/// so that forking is safe, and the kernel's counters of a process are those of the measurement.
pub fn program(open: Open) -> ExitCode {
    let mut args = std::env::args();
    let name = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    let Some(setting) = parse(&args) else {
        let usage = "MECHANISM SIZE MESSAGES ROUNDS [--every-byte] [--count-futex]";
        let _ = writeln!(io::stderr(), "usage: {name} {usage}");
        return ExitCode::from(2);
    };
    match measure::run(&setting, open).and_then(|sample| {
        let line = serde_json::to_string(&sample)?;
        writeln!(io::stdout(), "{line}")
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{}: {error}", setting.mechanism);
            ExitCode::from(1)
        }
    }
}

fn parse(args: &[String]) -> Option<Setting> {
    let [mechanism, size, messages, rounds, flags @ ..] = args else {
        return None;
    };
    let is_known = |flag: &String| flag == "--every-byte" || flag == "--count-futex";
    if !flags.iter().all(is_known) {
        return None;
    }
    let has = |name: &str| flags.iter().any(|flag| flag == name);
    let mechanism: Mechanism = mechanism.parse().ok()?;
    Some(Setting {
        mechanism,
        workload: Workload {
            size: size.parse().ok()?,
            messages: messages.parse().ok().filter(|&n| n > 0)?,
            rounds: rounds.parse().ok().filter(|&n| n > 0)?,
        },
        every_byte: has("--every-byte"),
        count_futex: has("--count-futex"),
    })
}
