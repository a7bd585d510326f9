//! Every mechanism brings every byte, and what it says of its cost is what the kernel counted.

use std::process::{Command, Output};

use datapath::{Mechanism, Sample, Size};

/// Few of the long ones: they are filled and compared byte by byte, by code that is not optimised.
fn messages(size: Size) -> u64 {
    (256 * 1024 / size.bytes() as u64).clamp(3, 50)
}

const REFERENCE: &str = env!("CARGO_BIN_EXE_datapath-reference");
const PLAIN: &str = env!("CARGO_BIN_EXE_datapath-plain");

fn run(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program).args(args).output();
    output.expect("the program starts")
}

fn measure(program: &str, mechanism: Mechanism, size: Size, flags: &[&str]) -> Sample {
    let numbers = [size.bytes().to_string(), messages(size).to_string()];
    let args = [mechanism.id(), &numbers[0], &numbers[1], "2"];
    let output = run(program, &[&args[..], flags].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{mechanism} with {size}: {said}");
    serde_json::from_slice(&output.stdout).expect("one sample as JSON")
}

fn sizes() -> [Size; 5] {
    // Among them one that no buffer is a multiple of.
    ["8", "64", "5000", "64K", "1M"].map(|text| text.parse().expect("a size"))
}

#[test]
fn every_mechanism_brings_every_byte_of_every_size() {
    for mechanism in Mechanism::ALL {
        for size in sizes() {
            let sample = measure(REFERENCE, mechanism, size, &["--every-byte"]);
            assert_eq!((sample.messages, sample.size), (messages(size), size));
            assert!(sample.stream_ns > 0 && sample.round_trip_ns > 0);
        }
    }
}

#[test]
fn plain_loops_bring_every_byte_too() {
    for mechanism in Mechanism::ALL
        .into_iter()
        .filter(|mechanism| mechanism.uses_a_lab())
    {
        for size in sizes() {
            measure(PLAIN, mechanism, size, &["--every-byte"]);
        }
    }
}

/// The most bytes that one call takes.
fn part(mechanism: Mechanism) -> u64 {
    match mechanism {
        Mechanism::UnixDatagram => 64 * 1024,
        Mechanism::Mqueue => 8192,
        _ => u64::MAX,
    }
}

/// The text of `/proc/self/io` gets longer as its numbers do.
const DIGITS: u64 = 64;

#[test]
fn what_goes_through_the_kernel_is_counted_call_by_call_and_byte_by_byte() {
    for mechanism in Mechanism::ALL {
        for size in sizes() {
            let Sample {
                sender, receiver, ..
            } = measure(REFERENCE, mechanism, size, &[]);
            let bytes = messages(size) * size.bytes() as u64;
            let sends = messages(size) * (size.bytes() as u64).div_ceil(part(mechanism));
            let what = format!("{mechanism} with {size}: {sender:?} {receiver:?}");
            match mechanism {
                Mechanism::ShmSemaphores | Mechanism::ShmSpinning => {
                    assert_eq!((sender.writes, receiver.writes), (0, 0), "{what}");
                    assert!(
                        sender.kernel_bytes() + receiver.kernel_bytes() < DIGITS,
                        "{what}"
                    );
                }
                Mechanism::Mqueue => {
                    assert_eq!(
                        (sender.own_calls, receiver.own_calls),
                        (sends, sends),
                        "{what}"
                    );
                    assert_eq!(
                        (sender.own_bytes, receiver.own_bytes),
                        (bytes, bytes),
                        "{what}"
                    );
                    assert_eq!(sender.writes, 0, "{what}");
                }
                _ => {
                    assert!(mechanism.is_counted_by_proc());
                    assert_eq!(
                        (sender.writes, sender.bytes_written),
                        (sends, bytes),
                        "{what}"
                    );
                    assert!(receiver.reads >= sends, "{what}");
                    assert!(receiver.bytes_read.abs_diff(bytes) < DIGITS, "{what}");
                }
            }
        }
    }
}

#[test]
fn calls_of_futex_are_counted_on_request_and_nothing_else_changes() {
    let flags = ["--every-byte", "--count-futex"];
    for mechanism in Mechanism::ALL {
        let n_calls = || {
            let sample = measure(REFERENCE, mechanism, sizes()[4], &flags);
            sample.sender.futex_calls + sample.receiver.futex_calls
        };
        // With luck nobody has to wait, and then there is nothing to call for.
        let n_tries = if mechanism.calls_futex() { 100 } else { 1 };
        let has_called = (0..n_tries).any(|_| n_calls() > 0);
        assert_eq!(has_called, mechanism.calls_futex(), "{mechanism:?}");
    }
    let silent = measure(REFERENCE, Mechanism::ShmSemaphores, sizes()[4], &[]);
    assert_eq!(
        (silent.sender.futex_calls, silent.receiver.futex_calls),
        (0, 0)
    );
}

#[test]
fn no_object_is_left_behind() {
    for mechanism in Mechanism::ALL {
        measure(REFERENCE, mechanism, sizes()[1], &[]);
    }
    let names = std::fs::read_dir("/dev/shm").expect("shared memory has a folder");
    let mut names = names.filter_map(Result::ok).map(|entry| entry.file_name());
    let left = names.find(|name| {
        // Another test's process may be just between creating and unlinking; a dead one's is left.
        let name = name.to_string_lossy().into_owned();
        let owner = name
            .split("datapath.")
            .nth(1)
            .and_then(|rest| rest.split('.').next());
        owner.is_some_and(|pid| !std::path::Path::new("/proc").join(pid).exists())
    });
    assert_eq!(left, None);
}

#[test]
fn wrong_arguments_are_told_how_to_be_right() {
    let wrong: [&[&str]; 5] = [
        &[],
        &["pipe", "64", "10"],
        &["post", "64", "10", "10"],
        &["pipe", "4", "10", "10"],
        &["pipe", "64", "10", "10", "--fast"],
    ];
    for args in wrong {
        let output = run(REFERENCE, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("usage:"));
    }
    let output = run(PLAIN, &["tcp", "64", "10", "10"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no plain loop"));
}
