//! Several processes at once, under every schedule that interrupts one of them where it matters.
//!
//! Most of them are probes that have opened the buffer already: what they do between the call and
//! its answer is all that is looked at.

use harness::{Bench, Check, Done, Fields, Input, Probe, Process, Reply, ensure, ensure_eq, wrong};

use crate::outside::{Named, named, word};

/// Two producers and a consumer: whichever is interrupted, each item comes out once, and whole.
pub(crate) fn an_interrupted_producer_loses_nothing(bench: &Bench) -> Check {
    bench.explore(|turn| {
        let buffer = Named::new(bench, "push");
        buffer.create(bench, 2, 16)?;
        let [mut first, mut second] = [user(bench, &buffer)?, user(bench, &buffer)?];
        let mut consumer = user(bench, &buffer)?;
        turn.interrupt("the first producer", &first.process)?;
        turn.beside("the second producer", &second.process)?;
        turn.beside("the consumer", &consumer.process)?;
        let items = [word(bench), word(bench)];
        first.send_last(PUSH, &Fields::new().bytes(&items[0]))?;
        second.send_last(PUSH, &Fields::new().bytes(&items[1]))?;
        consumer.send_last(POP, &Fields::new())?;
        turn.go()?;
        pushed(&mut first)?;
        pushed(&mut second)?;
        let popped = popped(&mut consumer)?;
        come_out(&items, [popped, pop_now(bench, &buffer)?])
    })
}

/// Two consumers and a producer that fills the slot that one of them has emptied.
pub(crate) fn an_interrupted_consumer_takes_nothing_twice(bench: &Bench) -> Check {
    bench.explore(|turn| {
        let buffer = Named::new(bench, "pop");
        buffer.create(bench, 2, 16)?;
        let items = [word(bench), word(bench), word(bench)];
        let lines = items[..2].join("\n");
        buffer.produce(bench, lines.as_bytes(), "with an empty buffer")?;
        let [mut first, mut second] = [user(bench, &buffer)?, user(bench, &buffer)?];
        let mut producer = user(bench, &buffer)?;
        turn.interrupt("the first consumer", &first.process)?;
        turn.beside("the second consumer", &second.process)?;
        turn.beside("the producer", &producer.process)?;
        first.send_last(POP, &Fields::new())?;
        second.send_last(POP, &Fields::new())?;
        producer.send_last(PUSH, &Fields::new().bytes(&items[2]))?;
        turn.go()?;
        pushed(&mut producer)?;
        let popped = [popped(&mut first)?, popped(&mut second)?];
        let [first, second] = popped;
        come_out(&items, [first, second, pop_now(bench, &buffer)?])
    })
}

/// Who is told that its item was taken in may count on it; who reads to the end has read it.
pub(crate) fn an_item_that_was_pushed_comes_out_before_the_end(bench: &Bench) -> Check {
    bench.explore(|turn| {
        let buffer = Named::new(bench, "close");
        buffer.create(bench, 2, 16)?;
        let [mut producer, mut consumer] = [user(bench, &buffer)?, user(bench, &buffer)?];
        let close = buffer.program(bench, &["close"]).start_stopped()?;
        turn.interrupt("the producer", &producer.process)?;
        turn.interrupt("the consumer", &consumer.process)?;
        turn.beside("the closer", &close)?;
        let item = word(bench);
        producer.send_last(PUSH, &Fields::new().bytes(&item))?;
        consumer.send_last(POP, &Fields::new())?;
        turn.go()?;
        close
            .finish()?
            .expect_code(0, "beside a producer and a consumer")?;
        let popped = popped(&mut consumer)?;
        match producer.receive(PUSH)? {
            Reply::Value(_) => ensure_eq(
                "what the consumer was given, when the producer's push had returned Ok",
                Some(item),
                popped,
            ),
            Reply::Error { kind, .. } if kind == "BrokenPipe" => ensure_eq(
                "what the consumer was given, when the producer had been refused",
                None,
                popped,
            ),
            Reply::Error { text, .. } => Err(wrong(PUSH, "Ok, or BrokenPipe when closed", text)),
        }
    })
}

/// Whoever finds the object ready finds everything else, too. Nobody needs to find it before: an
/// object may be filled without a name and linked when it is ready.
pub(crate) fn a_buffer_is_complete_when_it_is_ready(bench: &Bench) -> Check {
    bench.explore(|turn| {
        let buffer = Named::new(bench, "ready");
        let words = ["create", "--capacity", "2", "--item-max", "16"];
        let creator = buffer.program(bench, &words).start_stopped()?;
        turn.interrupt("the creator", &creator)?;
        // It waits until the object is ready, at most so long.
        let words = ["produce", "--deadline", "60000"];
        let producer = buffer.program(bench, &words).stdin(Input::Pipe);
        let mut producer = producer.start_stopped()?;
        let item = word(bench);
        producer.feed(item.as_bytes())?;
        producer.close_stdin();
        turn.beside("the producer", &producer)?;
        // Last in line, so it looks after the producer has looked.
        let onlooker = start_onlooker(bench, &buffer)?;
        turn.beside("an onlooker", &onlooker)?;
        turn.go()?;
        creator.finish()?.expect_code(0, "with a new name")?;
        let (done, looked) = (producer.finish()?, onlooker.finish()?);
        if found_no_name(&done, &looked, &buffer) {
            buffer.produce(bench, item.as_bytes(), "with an empty buffer")?;
        } else {
            done.expect_code(0, "started while the buffer is being created")?;
        }
        let lock = buffer.lock()?;
        ensure(
            lock == 1,
            "the lock when nobody works",
            "1",
            lock.to_string(),
        )?;
        come_out(&[item], [pop_now(bench, &buffer)?])
    })
}

/// A program that ends with 1 if there is no object of that name when its turn comes.
fn start_onlooker(bench: &Bench, buffer: &Named) -> Check<Process> {
    let test = bench.tool("/bin/sh").args(["-c", "test -e \"$0\""]);
    test.arg(buffer.object()).start_stopped()
}

/// Whether a program could not open the buffer, and nobody could: a name that is not there after it
/// was not there before it either, for nobody removes any.
fn found_no_name(done: &Done, looked: &Done, buffer: &Named) -> bool {
    let not_opened = format!("shm: open {}: ", buffer.name);
    done.code() == Some(1) && done.stderr.starts_with(&not_opened) && looked.code() == Some(1)
}

const PUSH: &str = "BoundedBuf::push";
const POP: &str = "BoundedBuf::pop";

/// A process that has opened the buffer and waits for a call.
fn user(bench: &Bench, buffer: &Named) -> Check<Probe> {
    let mut probe = bench.probe().connect()?;
    probe.value("BoundedBuf::open", named(buffer))?;
    Ok(probe)
}

fn pushed(producer: &mut Probe) -> Check {
    match producer.receive(PUSH)? {
        Reply::Value(_) => Ok(()),
        Reply::Error { text, .. } => Err(wrong(PUSH, "Ok", text)),
    }
}

/// What a consumer was given; `None` at the end.
fn popped(consumer: &mut Probe) -> Check<Option<String>> {
    match consumer.receive(POP)? {
        Reply::Value(values) if values.is_empty() => Ok(None),
        Reply::Value(values) => Ok(Some(String::from_utf8_lossy(values.get(1)).into_owned())),
        Reply::Error { text, .. } => Err(wrong(POP, "Ok", text)),
    }
}

/// What is next in the buffer, when nobody else works on it.
fn pop_now(bench: &Bench, buffer: &Named) -> Check<Option<String>> {
    let consumer = buffer.program(bench, &["consume", "--count", "1"]);
    let done = consumer.run(b"")?;
    done.expect_code(0, "with one item left")?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    Ok(text.strip_suffix('\n').map(str::to_owned))
}

/// Each item came out once.
fn come_out<const N: usize>(items: &[String], popped: [Option<String>; N]) -> Check {
    let mut expected = items.to_vec();
    let mut got: Vec<String> = popped.into_iter().flatten().collect();
    expected.sort();
    got.sort();
    ensure_eq(
        "the items that came out, in alphabetical order",
        expected,
        got,
    )
}
