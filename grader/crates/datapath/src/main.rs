//! One measurement of one data path: forks, sends a stream of messages from the child to the
//! parent, then single messages there and back, and prints one [`compare::Sample`] as JSON.
//!
//! ```text
//! datapath MECHANISM SIZE MESSAGES ROUNDS [--plain] [--every-byte]
//! ```
//!
//! `--plain` moves the bytes with plain loops instead of the labs' functions; `--every-byte` fills
//! and compares whole messages, which costs time, instead of only the number that each carries.
//! It has one thread and is started anew for each measurement, so forking is safe, and the
//! kernel's counters of a process are those of the measurement. It knows nothing of repeats.

mod channel;
mod files;
mod labs;
mod measure;
mod memory;
mod message;
mod meter;
mod plain;
mod queue;

use std::io::{self, Write};
use std::process::ExitCode;

use compare::{Mechanism, Workload};

use measure::Setting;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(setting) = parse(&args) else {
        let usage = "usage: datapath MECHANISM SIZE MESSAGES ROUNDS [--plain] [--every-byte]\n";
        let _ = io::stderr().write_all(usage.as_bytes());
        return ExitCode::from(2);
    };
    match measure::run(&setting).and_then(|sample| {
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
    let is_known = |flag: &String| flag == "--plain" || flag == "--every-byte";
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
        plain: has("--plain"),
        every_byte: has("--every-byte"),
    })
}
