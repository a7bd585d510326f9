//! Part 1: an object that several processes see, and one that is not complete yet.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};

use harness::{Bench, Check, Fields, Symptom, ensure, ensure_eq, found};

use crate::outside::{Named, READY, named, until_inside};

/// Three processes map an object; a store of one is what the two others and the file show.
pub(crate) fn a_store_is_seen_by_every_process(bench: &Bench) -> Check {
    let object = Named::new(bench, "store");
    let len = bench.number(5_000..20_000);
    let mut creator = bench.probe().connect()?;
    let size = creator.value("Shm::create", named(&object).value(len))?;
    ensure_eq("the length of the new mapping", Some(len), size.parse(0))?;

    let path = object.object().display().to_string();
    let file = std::fs::metadata(&path).map_err(|error| {
        found(
            Symptom::Mechanism,
            "after Shm::create",
            format!("the file {path}"),
            error.to_string(),
        )
    })?;
    ensure_eq(format!("the length of {path}"), len, file.len())?;
    ensure_eq(
        format!("the mode of {path}"),
        "600".into(),
        format!("{:o}", file.mode() & 0o777),
    )?;
    if let Some(maps) = creator.process.proc().maps() {
        // By its inode: an object may have got its name after it was opened, and then it is
        // listed under none.
        let mapping = maps
            .into_iter()
            .find(|mapping| mapping.name.starts_with("/dev/shm/") && mapping.inode == file.ino());
        let permissions = mapping.map_or("no mapping".into(), |mapping| mapping.permissions);
        if permissions != "rw-s" {
            let what = format!("{path} in /proc/PID/maps of its creator");
            return Err(found(Symptom::Mechanism, what, "rw-s", permissions));
        }
    }

    creator.value("poke", Fields::new().value(0).bytes(READY))?;
    let mut openers = [bench.probe().connect()?, bench.probe().connect()?];
    for opener in &mut openers {
        let size = opener.value("Shm::open", named(&object).value(5_000))?;
        ensure_eq("the length of a mapping opened", Some(len), size.parse(0))?;
    }
    let bytes = bench.bytes(100);
    let offset = bench.number(4..len - 100);
    creator.value("poke", Fields::new().value(offset).bytes(&bytes))?;
    for opener in &mut openers {
        let seen = opener.value("peek", Fields::new().value(offset).value(100))?;
        let what = format!("100 bytes at {offset} after another process stored them");
        ensure_eq(what, bytes.as_slice(), seen.get(0))?;
    }
    let mut in_file = [0; 100];
    OpenOptions::new()
        .read(true)
        .open(&path)?
        .read_exact_at(&mut in_file, offset)?;
    ensure_eq(
        format!("the same 100 bytes of {path}"),
        bytes.as_slice(),
        &in_file,
    )?;
    the_ready_word_is_the_least(bench)
}

/// Four bytes are an object, if one without contents; fewer are none.
fn the_ready_word_is_the_least(bench: &Bench) -> Check {
    let least = READY.len();
    let mut probe = bench.probe().connect()?;
    let short = Named::new(bench, "short");
    let args = named(&short).value(least - 1);
    let kind = probe.error("Shm::create", args, "no room for the ready word")?;
    let what = "the error for an object of 3 bytes";
    ensure_eq(what, "InvalidInput".to_owned(), kind)?;
    let object = Named::new(bench, "least");
    let size = probe.value("Shm::create", named(&object).value(least))?;
    let what = "the length of a new mapping of 4 bytes";
    ensure_eq(what, Some(least), size.parse(0))
}

/// A creator that takes its time, played by this test; then creators that never finish.
pub(crate) fn an_object_is_opened_only_when_it_is_complete(bench: &Bench) -> Check {
    let object = Named::new(bench, "late");
    let mut probe = bench.probe().connect()?;
    let missing = probe.error(
        "Shm::open",
        named(&object).value(5_000),
        "a name nobody has",
    )?;
    ensure_eq(
        "the error for a name that nobody has",
        "NotFound".to_owned(),
        missing,
    )?;

    let file = unfinished(&object)?;
    probe.send("Shm::open", &named(&object).value(60_000))?;
    until_inside(&mut probe, "Shm::open", "it waits while the length is 0")?;
    let len = bench.number(5_000..20_000);
    let bytes = bench.bytes(100);
    file.set_len(len)?;
    file.write_all_at(&bytes, len - 100)?;
    file.write_all_at(READY, 0)?;
    let size = match probe.receive("Shm::open")? {
        harness::Reply::Value(size) => size,
        harness::Reply::Error { text, .. } => {
            let what = "Shm::open of an object that is completed while it waits";
            return Err(harness::wrong(what, "Ok", text));
        }
    };
    ensure_eq("the length of a mapping opened", Some(len), size.parse(0))?;
    let seen = probe.value("peek", Fields::new().value(len - 100).value(100))?;
    ensure_eq("its last 100 bytes", bytes.as_slice(), seen.get(0))?;

    let unready = Named::new(bench, "unready");
    unfinished(&unready)?.set_len(4096)?;
    let args = named(&unready).value(50);
    let kind = probe.error(
        "Shm::open",
        args,
        "an object with a length and no ready word",
    )?;
    ensure_eq("the error after the deadline", "TimedOut".to_owned(), kind)?;

    let empty = Named::new(bench, "empty");
    unfinished(&empty)?;
    let done = empty
        .program(bench, &["consume", "--deadline", "50"])
        .run(b"")?;
    ensure(
        done.code() == Some(3),
        "`shm consume` with an object whose length stays 0",
        "exit code 3 after the deadline",
        done.how(),
    )?;
    short_objects(bench)
}

/// Objects as long as their ready word, and shorter.
fn short_objects(bench: &Bench) -> Check {
    let mut probe = bench.probe().connect()?;
    let least = Named::new(bench, "least");
    unfinished(&least)?.write_all_at(READY, 0)?;
    let size = probe.value("Shm::open", named(&least).value(5_000))?;
    let what = "the length of a mapping of nothing but a ready word";
    ensure_eq(what, Some(READY.len()), size.parse(0))?;

    let short = Named::new(bench, "short");
    unfinished(&short)?.write_all_at(&READY[1..], 0)?;
    let args = named(&short).value(5_000);
    let kind = probe.error("Shm::open", args, "an object of 3 bytes")?;
    let what = "the error for an object that is too short for a ready word";
    ensure_eq(what, "InvalidData".to_owned(), kind)
}

/// An object whose creator is still between shm_open and ftruncate.
fn unfinished(object: &Named) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(object.object())
}
