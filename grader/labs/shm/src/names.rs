//! Names outlive processes: who makes them, who must not touch them, who removes them.

use std::fs;
use std::os::unix::fs::MetadataExt;

use harness::inject::{Fails, inject, unlink};
use harness::{Bench, Check, Fields, Symptom, ensure, ensure_eq, found};
use nix::errno::Errno;

use crate::outside::{Named, named, word};

/// Neither the end of the creator nor that of a user takes the names away; `rm` takes both.
pub(crate) fn names_stay_until_rm(bench: &Bench) -> Check {
    let buffer = Named::new(bench, "stay");
    let both = [buffer.object(), buffer.lock_file()].map(|path| path.display().to_string());
    buffer.create(bench, 4, 64)?;
    ensure_eq(
        "names in /dev/shm when `shm create` has ended",
        both.to_vec(),
        buffer.left(),
    )?;
    let lock = fs::metadata(buffer.lock_file())?;
    ensure_eq(
        "the mode of the lock",
        "600".to_owned(),
        format!("{:o}", lock.mode() & 0o777),
    )?;
    buffer
        .program(bench, &["close"])
        .run(b"")?
        .expect_code(0, "with an open buffer")?;
    ensure_eq(
        "names in /dev/shm when `shm close` has ended",
        both.to_vec(),
        buffer.left(),
    )?;
    remove(bench, &buffer)?;
    let again = buffer.program(bench, &["rm"]).run(b"")?;
    again.expect_code(1, "with a name that is gone")
}

/// Users die of SIGKILL and SIGTERM; `rm` still leaves nothing; who has it mapped goes on.
pub(crate) fn a_removed_buffer_works_for_those_who_have_it(bench: &Bench) -> Check {
    let buffer = Named::new(bench, "killed");
    buffer.create(bench, 2, 64)?;
    for signal in [libc::SIGKILL, libc::SIGTERM] {
        let consumer = buffer.start_consumer(bench, 1)?;
        buffer.until_waiting(bench, &consumer, "with an empty buffer")?;
        consumer.signal(signal)?;
        consumer.finish()?.expect_signal(signal, "asleep in pop")?;
    }
    let mut users = [bench.probe().connect()?, bench.probe().connect()?];
    for user in &mut users {
        user.value("BoundedBuf::open", named(&buffer))?;
    }
    remove(bench, &buffer)?;
    let [producer, consumer] = &mut users;
    for round in 1..=3 {
        let item = bench.bytes(64);
        producer.value("BoundedBuf::push", Fields::new().bytes(&item))?;
        let popped = consumer.value("BoundedBuf::pop", Fields::new())?;
        let what = format!("item {round} through a buffer whose name is gone");
        ensure_eq(
            what,
            (Some(64), item.as_slice()),
            (popped.parse(0), popped.get(1)),
        )?;
    }
    Ok(())
}

fn remove(bench: &Bench, buffer: &Named) -> Check {
    buffer
        .program(bench, &["rm"])
        .run(b"")?
        .expect_code(0, "with a buffer that is there")?;
    let left = buffer.left();
    if left.is_empty() {
        return Ok(());
    }
    Err(found(
        Symptom::Leak,
        "names in /dev/shm when `shm rm` has ended",
        "none of the buffer's",
        left.join(", "),
    ))
}

/// A second creator must not change a byte of what is in use, the lock included.
pub(crate) fn a_second_create_changes_nothing(bench: &Bench) -> Check {
    let buffer = Named::new(bench, "twice");
    buffer.create(bench, 4, 64)?;
    let item = word(bench);
    buffer.produce(bench, item.as_bytes(), "with an empty buffer")?;
    let mut holder = bench.probe().connect()?;
    holder.value("take lock", named(&buffer))?;
    let before = buffer.bytes()?;
    let second = buffer
        .program(bench, &["create", "--capacity", "9"])
        .run(b"")?;
    second.expect_code(5, "with a name that is taken")?;
    let after = buffer.bytes()?;
    ensure(
        before == after,
        "the object after a second `shm create`",
        format!("the same {} bytes", before.len()),
        match before.len() == after.len() {
            true => "other bytes".to_owned(),
            false => format!("{} bytes", after.len()),
        },
    )?;
    ensure_eq("the lock that somebody holds meanwhile", 0, buffer.lock()?)?;
    holder.value("give lock", Fields::new())?;
    let consumer = buffer
        .program(bench, &["consume", "--count", "1"])
        .run(b"")?;
    consumer.expect_stdout(format!("{item}\n").as_bytes(), "after the second create")
}

/// A run before was killed with the lock in hand, and only its object was removed.
pub(crate) fn a_lock_left_behind_does_no_harm(bench: &Bench) -> Check {
    let buffer = Named::new(bench, "stale");
    let mut before = bench.probe().connect()?;
    before.value("make lock", named(&buffer).value(0))?;
    buffer.create(bench, 4, 64)?;
    ensure_eq(
        "the lock after `shm create` beside a lock left at 0",
        1,
        buffer.lock()?,
    )?;
    let item = word(bench);
    buffer.produce(bench, item.as_bytes(), "with an empty buffer")?;
    let consumer = buffer
        .program(bench, &["consume", "--count", "1"])
        .run(b"")?;
    consumer.expect_stdout(format!("{item}\n").as_bytes(), "with one item queued")?;
    a_lock_that_stays_is_not_used(bench)
}

/// A lock left behind that cannot be removed, as one of another user: no buffer then, unless the
/// creator made the lock what it should be all the same. Which of the kernel's errors it passes on
/// depends on whether it removes the lock or insists on making a new one.
fn a_lock_that_stays_is_not_used(bench: &Bench) -> Check {
    let buffer = Named::new(bench, "stays");
    let mut before = bench.probe().connect()?;
    before.value("make lock", named(&buffer).value(0))?;
    let forbidden = inject(unlink().counts(1..=1), Fails(Errno::EPERM));
    let watch = bench.watch([forbidden], &[])?;
    let done = buffer
        .program(bench, &["create"])
        .watched(&watch, "creator")
        .run(b"")?;
    let case = "beside a lock that it may not remove";
    match done.code() {
        Some(0) => {
            let what = format!("the lock after `shm create` {case} and that was left at 0");
            return ensure_eq(what, 1, buffer.lock()?);
        }
        // What `main` makes of an error that a call returned; a panic is none.
        Some(1..=5) => {}
        _ => done.expect_code(1, case)?,
    }
    ensure(
        !buffer.object().exists(),
        "after `shm create` beside a lock that it may not remove",
        "no object of that name",
        "the object is there",
    )
}
