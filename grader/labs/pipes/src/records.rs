//! Parts 4 and 5: records that stay whole although a pipe knows only bytes.

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::slice;

use harness::{Bench, Check, Fields, Input, Probe, Reply, ensure, ensure_eq, wrong};
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::Resource;
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::{Index, select};

use crate::ends::{self, bytes_waiting};
use crate::frames::{self, MAX_RECORD, frame};

/// Where a probe finds the pipe that the test gives it.
const PIPE: i32 = 4;

pub(crate) fn the_longest_record_fits_and_a_longer_one_writes_nothing(bench: &Bench) -> Check {
    let (mut reader, writer) = pipe()?;
    let mut probe = bench.probe().fd(PIPE, writer).connect()?;

    for excess in [1, 1 + bench.number(1..100_000) as usize] {
        let case = format!("{} bytes", MAX_RECORD + excess);
        let kind = probe.error(
            "write_records",
            records(&[bench.bytes(MAX_RECORD + excess)]),
            &case,
        )?;
        ensure_eq(
            format!("the error of write_record, {case}"),
            "InvalidInput",
            &kind,
        )?;
        ensure_eq(
            "bytes in the pipe after that (FIONREAD)",
            0,
            bytes_waiting(&reader),
        )?;
    }

    let longest = bench.bytes(MAX_RECORD);
    probe.value("write_records", records(slice::from_ref(&longest)))?;
    ensure_eq(
        format!("bytes in the pipe after a record of {MAX_RECORD}"),
        libc::PIPE_BUF,
        bytes_waiting(&reader),
    )?;
    let mut bytes = vec![0; libc::PIPE_BUF];
    reader.read_exact(&mut bytes)?;
    ensure_eq(
        "the length that the header of the longest record announces",
        u32::try_from(MAX_RECORD).ok(),
        bytes.first_chunk().copied().map(u32::from_le_bytes),
    )?;
    ensure(
        bytes == frame(&longest),
        "the longest record",
        "its length, then its bytes",
        "other bytes",
    )
}

pub(crate) fn records_of_many_writers_stay_whole(bench: &Bench) -> Check {
    // One page of pipe and a reader that starts late: every writer has to wait in the middle of
    // its work, and whatever it has not written in one go is torn. Where a page
    // is larger than 4 KiB, it takes as many times more records to fill it.
    let (reader, _writer) = pipe_of_a_page()?;
    let most = 12 * ends::capacity(&reader)? / 4096;
    let length = select(&[0, 1, 127, 1000, 3000, 4091, 4092][..]);
    let writers = vec(vec(length, 1..=most), 1..=4);
    bench.property(24, writers, |lengths| {
        let sent: Vec<Vec<Vec<u8>>> = (0u8..)
            .zip(&lengths)
            .map(|(writer, lengths)| {
                lengths
                    .iter()
                    .map(|&length| record_of(bench, writer, length))
                    .collect()
            })
            .collect();
        let got = through_one_pipe(bench, &sent)?;
        let Some(got) = frames::split(&got) else {
            return Err(wrong(
                "the stream that several write_record calls made together",
                "whole records, one after another",
                "a length that does not fit what follows: records were mixed",
            ));
        };
        let empty = |records: &[Vec<u8>]| records.iter().filter(|record| record.is_empty()).count();
        ensure_eq(
            "empty records",
            sent.iter().map(|sent| empty(sent)).sum(),
            empty(&got),
        )?;
        for (writer, sent) in (0u8..).zip(&sent) {
            let of_writer = |records: &[Vec<u8>]| -> Vec<Vec<u8>> {
                records
                    .iter()
                    .filter(|record| record.first() == Some(&writer))
                    .cloned()
                    .collect()
            };
            let (sent, got) = (of_writer(sent), of_writer(&got));
            ensure_eq(format!("records of writer {writer}"), sent.len(), got.len())?;
            ensure(
                sent == got,
                format!("the records of writer {writer}"),
                "what it wrote, in its order",
                "other bytes or another order",
            )?;
        }
        Ok(())
    })
}

/// A random record that begins with its writer's number, if it has room for that.
fn record_of(bench: &Bench, writer: u8, length: usize) -> Vec<u8> {
    let mut record = bench.bytes(length);
    if let Some(first) = record.first_mut() {
        *first = writer;
    }
    record
}

/// A pipe as small as the kernel makes one.
fn pipe_of_a_page() -> Check<(PipeReader, PipeWriter)> {
    let (reader, writer) = pipe()?;
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096))?;
    Ok((reader, writer))
}

/// One process for each list of records, all writing at once to one pipe of a single page: what
/// comes out of it.
fn through_one_pipe(bench: &Bench, sent: &[Vec<Vec<u8>>]) -> Check<Vec<u8>> {
    let (reader, writer) = pipe_of_a_page()?;
    let mut probes = Vec::new();
    for list in sent {
        let mut probe = bench.probe().fd(PIPE, writer.try_clone()?).connect()?;
        probe.send("write_records", &records(list))?;
        probes.push(probe);
    }
    drop(writer);
    for probe in &probes {
        probe.process.until_asleep()?;
    }
    // Less than a page at a time, so that there is often room for a part of a record only.
    let reading = ends::start_reading(reader, 1000);
    for mut probe in probes {
        if let Reply::Error { text, .. } = probe.receive("write_record")? {
            return Err(wrong(
                "write_record while others write to the same pipe",
                "Ok",
                text,
            ));
        }
        probe.finish()?.expect_code(0, "when all is written")?;
    }
    reading.finish(bench)
}

pub(crate) fn records_are_read_whole_however_they_are_cut(bench: &Bench) -> Check {
    let ids = vec(0u32..100, 0..=40);
    let cuts = vec(any::<Index>(), 0..=6);
    bench.property(16, (ids, cuts), |(ids, cuts)| {
        let stream = (0u64..)
            .zip(&ids)
            .flat_map(|(number, id)| frame(format!("{id} {number}").as_bytes()));
        let stream: Vec<u8> = stream.collect();
        let mut consumer = bench.program(["consume"]).stdin(Input::Pipe).start()?;
        consumer.dribble(&cut(&stream, &cuts))?;
        let done = consumer.finish()?;
        let case = "records that arrive in pieces";
        done.expect_stdout(tally(&ids).as_bytes(), case)?;
        done.expect_code(0, case)
    })
}

/// `stream` in pieces, cut at the given places.
fn cut(stream: &[u8], cuts: &[Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    places.dedup();
    places
        .windows(2)
        .map(|ends| stream[ends[0]..ends[1]].to_vec())
        .collect()
}

/// What `consume` prints for records of these ids.
fn tally(ids: &[u32]) -> String {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    sorted
        .chunk_by(|a, b| a == b)
        .map(|same| format!("{} {}\n", same[0], same.len()))
        .collect()
}

pub(crate) fn an_end_inside_a_record_is_bad_data(bench: &Bench) -> Check {
    let good = frame(b"7 0");
    let announced = bench.number(60..100) as usize;
    let unfinished = &frame(&bench.bytes(announced))[..4 + announced / 2];
    let cases = [
        (
            "whose input ends inside a record",
            [&good, unfinished].concat(),
        ),
        (
            "whose input ends inside a header",
            [&good, &unfinished[..2]].concat(),
        ),
        (
            "whose input ends right after a header",
            [&good, &unfinished[..4]].concat(),
        ),
    ];
    counts_one_record(bench, &good)?;
    for (case, input) in cases {
        bench
            .program(["consume"])
            .run(&input)?
            .expect_code(4, case)?;
        // The code alone says little: half a record may be bad data for another reason.
        let mut probe = probe_reading(bench, &input)?;
        let record = probe.value("read_record", Fields::new().value(PIPE))?;
        ensure_eq("read_record, the whole record", &b"7 0"[..], record.get(0))?;
        let kind = probe.error("read_record", Fields::new().value(PIPE), case)?;
        let what = format!("the error of read_record, {case}");
        ensure_eq(what, "UnexpectedEof", &kind)?;
    }
    Ok(())
}

/// A probe that has a pipe with these bytes, at most a page, and nobody to write more.
fn probe_reading(bench: &Bench, bytes: &[u8]) -> Check<Probe> {
    let (reader, mut writer) = pipe()?;
    writer.write_all(bytes)?;
    bench.probe().fd(PIPE, reader).connect()
}

/// The code for bad data says something only of a program that knows good data.
fn counts_one_record(bench: &Bench, record: &[u8]) -> Check {
    let case = "with one whole record";
    let done = bench.program(["consume"]).run(record)?;
    done.expect_stdout(b"7 1\n", case)?;
    done.expect_code(0, case)
}

pub(crate) fn a_length_from_outside_takes_no_memory(bench: &Bench) -> Check {
    counts_one_record(bench, &frame(b"7 0"))?;
    for length in [u32::MAX, bench.number(1 << 31..1 << 32) as u32] {
        let input = [&length.to_le_bytes(), bench.bytes(5000).as_slice()].concat();
        // Memory that is never touched does not show in RSS: only a limit makes it felt.
        let consume = bench
            .program(["consume"])
            .rlimit(Resource::RLIMIT_AS, 512 << 20);
        let case = format!("with a header that announces {length} bytes");
        consume.run(&input)?.expect_code(4, &case)?;
    }
    let longest = bench.bytes(MAX_RECORD);
    let mut probe = probe_reading(bench, &frame(&longest))?;
    let record = probe.value("read_record", Fields::new().value(PIPE))?;
    ensure(
        record.get(0) == longest,
        format!("read_record, a record of {MAX_RECORD} bytes, which is allowed"),
        "the same bytes",
        "other bytes",
    )?;
    let readable = format!("7 {:0width$}", 0, width = MAX_RECORD - 1);
    let case = format!("with a readable record of {} bytes", readable.len());
    bench
        .program(["consume"])
        .run(&frame(readable.as_bytes()))?
        .expect_code(4, &case)
}

/// The arguments of a call that writes these records to the pipe.
fn records(list: &[Vec<u8>]) -> Fields {
    list.iter()
        .fold(Fields::new().value(PIPE).value(list.len()), Fields::bytes)
}
