//! Who sleeps, who holds what meanwhile, and who wakes up.

use std::time::Duration;

use harness::{Bench, Check, Fields, Process, Symptom, ensure, ensure_eq, found, wrong};

use crate::outside::{Named, SLOTS, named, word};

/// How long a sleeper is watched.
const WINDOW: Duration = Duration::from_millis(300);

/// Pop on empty and push on full: asleep in the kernel, without waking up to look.
pub(crate) fn a_process_that_has_to_wait_sleeps(bench: &Bench) -> Check {
    let empty = Named::new(bench, "empty");
    empty.create(bench, 4, 64)?;
    let consumer = empty.start_consumer(bench, 1)?;
    empty.until_waiting(bench, &consumer, "with an empty buffer")?;
    consumer.sleeps_soundly(WINDOW, "with an empty buffer")?;

    let full = Named::new(bench, "full");
    full.create(bench, 1, 64)?;
    full.produce(bench, word(bench).as_bytes(), "with one empty slot")?;
    let producer = full.start_producer(bench, word(bench).as_bytes())?;
    full.until_waiting(bench, &producer, "with a full buffer")?;
    producer.sleeps_soundly(WINDOW, "with a full buffer")
}

/// This test holds the lock: nobody may touch the indices or the slots. And who sleeps for a slot
/// or an item must not hold it.
pub(crate) fn the_lock_is_held_around_the_slots_and_not_asleep(bench: &Bench) -> Check {
    let buffer = Named::new(bench, "lock");
    buffer.create(bench, 4, 64)?;
    let mut holder = bench.probe().connect()?;
    let item = word(bench);

    holder.value("take lock", named(&buffer))?;
    let before = (buffer.tail()?, slot(&buffer)?);
    let producer = buffer.start_producer(bench, item.as_bytes())?;
    kept_out(
        bench,
        &buffer,
        &producer,
        "with the lock taken by another process",
    )?;
    ensure(
        before == (buffer.tail()?, slot(&buffer)?),
        "tail and slot 0 while another process holds the lock",
        "what they were before",
        "something else",
    )?;
    holder.value("give lock", Fields::new())?;
    producer
        .finish()?
        .expect_code(0, "after the lock was given back")?;

    holder.value("take lock", named(&buffer))?;
    let consumer = buffer.start_consumer(bench, 1)?;
    kept_out(
        bench,
        &buffer,
        &consumer,
        "with the lock taken by another process",
    )?;
    ensure_eq(
        "head while another process holds the lock",
        0,
        buffer.head()?,
    )?;
    holder.value("give lock", Fields::new())?;
    let done = consumer.finish()?;
    done.expect_stdout(
        format!("{item}\n").as_bytes(),
        "after the lock was given back",
    )?;

    let empty = Named::new(bench, "empty");
    empty.create(bench, 1, 64)?;
    let consumer = empty.start_consumer(bench, 1)?;
    empty.until_waiting(bench, &consumer, "with an empty buffer")?;
    ensure_eq(
        "the lock while a consumer sleeps on an empty buffer (1: free)",
        1,
        empty.lock()?,
    )?;
    let full = Named::new(bench, "full");
    full.create(bench, 1, 64)?;
    let producer = full.start_producer(bench, format!("{item}\n{item}\n").as_bytes())?;
    full.until_waiting(bench, &producer, "with a full buffer")?;
    ensure_eq(
        "the lock while a producer sleeps on a full buffer (1: free)",
        1,
        full.lock()?,
    )
}

/// The bytes of the first slot.
fn slot(buffer: &Named) -> Check<Vec<u8>> {
    let bytes = buffer.bytes()?;
    let start = usize::try_from(SLOTS).expect("a small number");
    Ok(bytes.get(start..start + 72).unwrap_or_default().to_vec())
}

/// A program that should sleep for the lock, and for a while does nothing else.
fn kept_out(bench: &Bench, buffer: &Named, program: &Process, what: &str) -> Check {
    buffer.until_waiting(bench, program, what)?;
    program.sleeps_soundly(Duration::from_millis(100), what)
}

/// Three consumers sleep and one item comes; three producers sleep and one slot becomes free.
pub(crate) fn one_item_wakes_one_consumer(bench: &Bench) -> Check {
    let buffer = Named::new(bench, "one");
    buffer.create(bench, 2, 64)?;
    let item = word(bench);
    let consumers = sleepers(bench, &buffer, || buffer.start_consumer(bench, 1))?;
    buffer.produce(bench, item.as_bytes(), "with three consumers asleep")?;
    let done = the_one_that_ends(bench, consumers, "with one item for three consumers")?;
    done.expect_stdout(format!("{item}\n").as_bytes(), "woken by one item")?;
    let values = (buffer.full()?, buffer.empty()?);
    ensure_eq(
        "(full, empty) of 2 slots when the item is taken",
        (0, 2),
        values,
    )?;

    let buffer = Named::new(bench, "room");
    buffer.create(bench, 2, 64)?;
    buffer.produce(bench, b"first\nsecond\n", "with two empty slots")?;
    let producers = sleepers(bench, &buffer, || {
        buffer.start_producer(bench, item.as_bytes())
    })?;
    let consumer = buffer
        .program(bench, &["consume", "--count", "1"])
        .run(b"")?;
    consumer.expect_stdout(b"first\n", "with a full buffer")?;
    let done = the_one_that_ends(bench, producers, "with one empty slot for three producers")?;
    done.expect_code(0, "woken by one empty slot")?;
    let values = (buffer.full()?, buffer.empty()?);
    ensure_eq(
        "(full, empty) of 2 slots when both are full again",
        (2, 0),
        values,
    )
}

/// Three processes that all sleep in the buffer.
fn sleepers(
    bench: &Bench,
    buffer: &Named,
    start: impl Fn() -> Check<Process>,
) -> Check<Vec<Process>> {
    let sleepers = [start()?, start()?, start()?];
    for sleeper in &sleepers {
        buffer.until_waiting(bench, sleeper, "before anything is there for it")?;
    }
    Ok(sleepers.into())
}

/// The one of them that ends, when the others go on sleeping.
fn the_one_that_ends(
    bench: &Bench,
    mut sleepers: Vec<Process>,
    what: &str,
) -> Check<harness::Done> {
    bench.until(|| sleepers.iter().any(|sleeper| sleeper.exit().is_some()));
    let first = sleepers.iter().position(|sleeper| sleeper.exit().is_some());
    let first = sleepers.remove(first.expect("one of them has ended"));
    for sleeper in &sleepers {
        sleeper.sleeps_soundly(WINDOW, what)?;
    }
    first.finish()
}

/// Close wakes all, delivers what is queued and refuses what comes later.
pub(crate) fn close_wakes_everybody_and_loses_nothing(bench: &Bench) -> Check {
    let buffer = Named::new(bench, "idle");
    buffer.create(bench, 2, 64)?;
    let consumers = sleepers(bench, &buffer, || buffer.start_consumer(bench, 9))?;
    close(bench, &buffer)?;
    for consumer in consumers {
        let done = consumer.finish()?;
        done.expect_code(0, "asleep on an empty buffer when it was closed")?;
        done.expect_stdout(b"", "asleep on an empty buffer when it was closed")?;
    }

    let buffer = Named::new(bench, "queued");
    buffer.create(bench, 2, 64)?;
    let queued = format!("{}\n{}\n", word(bench), word(bench));
    buffer.produce(bench, queued.as_bytes(), "with two empty slots")?;
    let producers = sleepers(bench, &buffer, || buffer.start_producer(bench, b"too late"))?;
    close(bench, &buffer)?;
    for producer in producers {
        let done = producer.finish()?;
        done.expect_code(1, "asleep on a full buffer when it was closed")?;
        ensure(
            done.stderr.contains("push"),
            "the error of a producer whose buffer was closed",
            "shm: push: Broken pipe",
            done.stderr.trim(),
        )?;
    }
    let consumer = buffer.program(bench, &["consume"]).run(b"")?;
    if consumer.code() == Some(0) && queued.len() > consumer.stdout.len() {
        return Err(wrong(
            "`shm consume` from a closed buffer with two items queued",
            "both items, then the end",
            format!(
                "{} bytes of {}, then the end",
                consumer.stdout.len(),
                queued.len()
            ),
        ));
    }
    consumer.expect_stdout(
        queued.as_bytes(),
        "with two items queued when it was closed",
    )?;
    let late = buffer.program(bench, &["produce"]).run(b"too late")?;
    late.expect_code(1, "with a closed buffer")?;
    close(bench, &buffer)
}

fn close(bench: &Bench, buffer: &Named) -> Check {
    let done = buffer.program(bench, &["close"]).run(b"")?;
    match done.code() {
        Some(0) => Ok(()),
        _ => Err(found(
            Symptom::Wrong,
            "`shm close`",
            "exit code 0",
            done.how(),
        )),
    }
}
