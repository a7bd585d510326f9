//! Parts 2 and 4 under signals that interrupt a sleeping semaphore: the harness makes certain that
//! they come while it sleeps.

use harness::inject::{Eintr, futex_wait, inject};
use harness::{Bench, Check, Input, Process, Watch, ensure_eq, wrong};

use crate::outside::Named;

/// So many times in a row the sleep is interrupted.
const TWICE: std::ops::RangeInclusive<u32> = 1..=2;

/// A consumer at an empty buffer, and a producer at a full one, are woken for nothing.
pub(crate) fn an_interrupted_wait_takes_nothing(bench: &Bench) -> Check {
    let buffer = Named::new(bench, "signal");
    buffer.create(bench, 1, 64)?;
    let lines: Vec<String> = (0..4)
        .map(|n| format!("{n}-{}", bench.number(0..1_000_000)))
        .collect();
    let input = format!("{}\n", lines.join("\n"));

    let watch = bench.watch(
        inject(futex_wait().by("consumer").counts(TWICE), Eintr),
        &[],
    )?;
    let consumer = buffer
        .program(bench, &["consume"])
        .watched(&watch, "consumer")
        .start()?;
    until_disturbed(bench, &watch, &consumer, "at the empty buffer")?;
    let producer = buffer.start_producer(bench, input.as_bytes())?;
    producer
        .finish()?
        .expect_code(0, "while a consumer is interrupted at the empty buffer")?;
    close(bench, &buffer)?;
    let done = consumer.finish()?;
    done.expect_code(0, "interrupted by signals at the empty buffer")?;
    let got = String::from_utf8_lossy(&done.stdout).into_owned();
    ensure_eq(
        "what a consumer got that signals woke at the empty buffer",
        input.as_str(),
        &got,
    )?;
    buffer
        .program(bench, &["rm"])
        .run(b"")?
        .expect_code(0, "at the end")?;

    let buffer = Named::new(bench, "signals");
    buffer.create(bench, 1, 64)?;
    let watch = bench.watch(
        inject(futex_wait().by("producer").counts(TWICE), Eintr),
        &[],
    )?;
    let produce = buffer.program(bench, &["produce"]).stdin(Input::Pipe);
    let mut producer = produce.watched(&watch, "producer").start()?;
    producer.feed(input.as_bytes())?;
    until_disturbed(bench, &watch, &producer, "at the full buffer")?;
    let consumer = buffer.program(bench, &["consume"]).start()?;
    producer
        .finish()?
        .expect_code(0, "interrupted by signals at the full buffer")?;
    close(bench, &buffer)?;
    let done = consumer.finish()?;
    let got = String::from_utf8_lossy(&done.stdout).into_owned();
    ensure_eq(
        "what came of a producer that signals woke at the full buffer",
        input.as_str(),
        &got,
    )
}

/// Waits until both signals have come. Nothing but an item or room may end the sleep.
fn until_disturbed(bench: &Bench, watch: &Watch, sleeper: &Process, place: &str) -> Check {
    bench.until(|| watch.fired() == [2] || sleeper.exit().is_some());
    match sleeper.exit() {
        None => Ok(()),
        Some(exit) => Err(wrong(
            format!("`{}`, interrupted by signals {place}", sleeper.command()),
            "it sleeps on",
            format!("{}: {}", exit.status, sleeper.stderr_so_far().trim()),
        )),
    }
}

fn close(bench: &Bench, buffer: &Named) -> Check {
    let done = buffer.program(bench, &["close"]).run(b"")?;
    done.expect_code(0, "after the last producer")
}
