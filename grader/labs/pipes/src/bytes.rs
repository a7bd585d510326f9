//! Parts 1 to 3: a pipe, and whole buffers through it.

use std::io::{Read, pipe};
use std::time::Duration;

use harness::{Bench, Check, Fields, Input, Output, ensure, ensure_eq};
use proptest::collection::vec;
use proptest::num::u8::ANY;

use crate::{ends, frames};

/// Long enough that a spin (all of it) and a poll every few milliseconds cannot be missed.
pub(crate) const WINDOW: Duration = Duration::from_millis(300);

pub(crate) fn a_later_program_holds_no_end_of_the_pipe(bench: &Bench) -> Check {
    let mut probe = bench.probe().connect()?;
    // Seen from outside, not only told by the process that it is about.
    let ends = probe.value("hold_pipe", Fields::new())?;
    let ends = [0, 1].map(|index| {
        let end = probe.process.proc().fd(ends.parse(index).unwrap_or(-1));
        end.map_or("closed".to_owned(), |end| {
            format!("{}, close-on-exec: {}", end.target, end.is_close_on_exec())
        })
    });
    ensure(
        ends[0] == ends[1] && ends[0].starts_with("pipe:") && ends[0].ends_with("true"),
        "the two descriptors that make_pipe() returned",
        "both ends of one pipe, close-on-exec",
        ends.join(" and "),
    )?;

    let ended = probe.value("make_pipe", Fields::new())?;
    ensure_eq(
        "make_pipe(), start another program, drop the write end: has the read end hung up?",
        Some(true),
        ended.parse(0),
    )
}

pub(crate) fn a_writer_whose_reader_has_gone_ends_with_an_error(bench: &Bench) -> Check {
    let (mut reader, writer) = pipe()?;
    let producer = bench
        .program(["produce", "--id", "1", "--count", "1000000000"])
        .stdout(Output::Fd(writer.into()))
        .start()?;
    bench.until(|| ends::bytes_waiting(&reader) >= 100 || producer.exit().is_some());
    let n_found = ends::bytes_waiting(&reader).min(100);
    ensure_eq("bytes that a reader found in the pipe", 100, n_found)?;
    reader.read_exact(&mut [0; 100])?;
    drop(reader);
    let done = producer.finish()?;
    let case = "whose reader takes 100 bytes and goes away";
    done.expect_code(1, case)?;
    ensure(
        !done.stderr.contains("panicked"),
        format!("standard error of `{}`, {case}", done.command),
        "the error of write(2), passed on",
        done.stderr,
    )
}

pub(crate) fn a_writer_sleeps_until_the_reader_makes_room(bench: &Bench) -> Check {
    let (reader, writer) = pipe()?;
    // Several times what a pipe of 64 KiB holds. A larger one takes in more, nine bytes and up a
    // record.
    let more = ends::capacity(&reader)?.saturating_sub(64 << 10) / 8;
    let n_records = bench.number(30_000..40_000) + more as u64;
    let producer = bench
        .program(["produce", "--id", "1", "--count", &n_records.to_string()])
        .stdout(Output::Fd(writer.into()))
        .start()?;
    producer.sleeps_soundly(WINDOW, "because the pipe is full and nobody reads")?;

    let bytes = ends::start_reading(reader, 64 << 10).finish(bench)?;
    let expected: Vec<u8> = (0..n_records)
        .flat_map(|number| frames::frame(format!("1 {number}").as_bytes()))
        .collect();
    ensure_eq(
        "bytes that came out once somebody read",
        expected.len(),
        bytes.len(),
    )?;
    ensure(
        bytes == expected,
        "the bytes themselves",
        "every record, in order",
        "other bytes",
    )?;
    producer
        .finish()?
        .expect_code(0, "once everything has been read")
}

pub(crate) fn bytes_arrive_unchanged_however_they_are_cut(bench: &Bench) -> Check {
    bench.property(32, vec(vec(ANY, 1..=200), 0..=8), |chunks| {
        let mut cat = bench.program(["cat"]).stdin(Input::Pipe).start()?;
        cat.dribble(&chunks)?;
        let done = cat.finish()?;
        let case = "its input in one write(2) after another";
        done.expect_stdout(&chunks.concat(), case)?;
        done.expect_code(0, case)
    })
}

pub(crate) fn an_idle_reader_sleeps(bench: &Bench) -> Check {
    let mut cat = bench.program(["cat"]).stdin(Input::Pipe).start()?;
    cat.sleeps_soundly(WINDOW, "because its input is open and empty")?;
    // Anybody can sleep: it has to be the sleep of a reader.
    let text = bench.name("awake");
    cat.feed(text.as_bytes())?;
    cat.close_stdin();
    cat.finish()?
        .expect_stdout(text.as_bytes(), "once there is something to read")
}
