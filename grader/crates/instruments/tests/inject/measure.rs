//! What a recorded call costs, beside strace in the same run.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use instruments::inject::read;
use sandbox::Level;

use crate::stage::Stage;

const N_CALLS: u32 = 20_000;
const N_RUNS: usize = 5;

/// Prints microseconds a call: the median of some runs, without what starting takes.
pub(crate) fn run(exe: &Path) {
    let plain = |n: u32| {
        let mut command = Command::new(exe);
        command.args(["victim", "read-zeros", &n.to_string()]);
        command
    };
    let traced = |n: u32| {
        let mut command = Command::new("strace");
        command
            .args(["-f", "-e", "trace=read", "-o", "/dev/null"])
            .arg(exe);
        command.args(["victim", "read-zeros", &n.to_string()]);
        command
    };
    let recorded = |how: &'static str| {
        move |n: u32| {
            let mut command = Command::new(exe);
            command.args(["measure", how, &n.to_string()]);
            command
        }
    };
    println!("plain        {:6.2} us a call", per_call(plain));
    println!(
        "recorded     {:6.2} us a call",
        per_call(recorded("recorded"))
    );
    println!(
        "with results {:6.2} us a call",
        per_call(recorded("with-results"))
    );
    match Command::new("strace").arg("-V").output() {
        Ok(_) => println!("strace       {:6.2} us a call", per_call(traced)),
        Err(error) => println!("strace       is not here: {error}"),
    }
}

/// Reads of one byte, recorded with time, process and object, and perhaps with what they returned.
pub(crate) fn recorded(n_calls: u32, has_results: bool) {
    let mut stage = Stage::new(Level::None, Vec::new(), &[read()]);
    if has_results {
        stage = stage.with_results(Vec::new(), &[read()]);
    }
    let n_calls = n_calls.to_string();
    stage.run("reader", stage.victim(&["read-zeros", &n_calls]));
    let log = stage.recorder.log();
    let n_recorded = log.entries.len() + log.n_lost;
    assert!(
        n_recorded >= n_calls.parse().unwrap(),
        "{n_recorded} recorded"
    );
}

fn per_call(command: impl Fn(u32) -> Command) -> f64 {
    let mut samples: Vec<f64> = (0..N_RUNS)
        .map(|_| {
            let of_many = seconds(command(N_CALLS));
            let of_none = seconds(command(0));
            (of_many - of_none).max(0.0) * 1e6 / f64::from(N_CALLS)
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    samples[N_RUNS / 2]
}

fn seconds(mut command: Command) -> f64 {
    let began = Instant::now();
    assert!(command.status().unwrap().success());
    began.elapsed().as_secs_f64()
}
