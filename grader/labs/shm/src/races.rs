//! Several processes at once, under every schedule that interrupts one of them where it matters.

use harness::{Bench, Check, Done, Input, Launch, Process, ensure, ensure_eq};

use crate::outside::{Named, word};

/// Two producers and a consumer: whichever is interrupted, each item comes out once, and whole.
pub(crate) fn an_interrupted_producer_loses_nothing(bench: &Bench) -> Check {
    bench.explore(|turn| {
        let buffer = Named::new(bench, "push");
        buffer.create(bench, 2, 16)?;
        let items = [word(bench), word(bench)];
        let interrupted = producer(bench, &buffer);
        let producers = [
            fed(
                turn.interrupt("the first producer", interrupted)?,
                &items[..1],
            )?,
            fed(
                turn.start("the second producer", producer(bench, &buffer))?,
                &items[1..],
            )?,
        ];
        let consumer = turn.start("the consumer", consumer(bench, &buffer, 2))?;
        turn.go()?;
        for producer in producers {
            producer
                .finish()?
                .expect_code(0, "beside another producer")?;
        }
        come_out(&items, &[consumer.finish()?])
    })
}

/// Two consumers and a producer that fills the slots they have emptied.
pub(crate) fn an_interrupted_consumer_takes_nothing_twice(bench: &Bench) -> Check {
    bench.explore(|turn| {
        let buffer = Named::new(bench, "pop");
        buffer.create(bench, 2, 16)?;
        let items = [word(bench), word(bench), word(bench)];
        let lines = items[..2].join("\n");
        buffer.produce(bench, lines.as_bytes(), "with an empty buffer")?;
        let consumers = [
            turn.interrupt("the first consumer", consumer(bench, &buffer, 1))?,
            turn.start("the second consumer", consumer(bench, &buffer, 1))?,
        ];
        let producer = turn.start("the producer", producer(bench, &buffer))?;
        let producer = fed(producer, &items[2..])?;
        turn.go()?;
        producer.finish()?.expect_code(0, "beside two consumers")?;
        let [first, second] = consumers.map(Process::finish);
        let left = consumer(bench, &buffer, 1).run(b"")?;
        come_out(&items, &[first?, second?, left])
    })
}

/// A producer that is told that its item was taken in, and a consumer that reads to the end.
pub(crate) fn an_item_that_was_pushed_comes_out_before_the_end(bench: &Bench) -> Check {
    bench.explore(|turn| {
        let buffer = Named::new(bench, "close");
        buffer.create(bench, 2, 16)?;
        let item = [word(bench)];
        let producer = producer(bench, &buffer);
        let producer = fed(turn.interrupt("the producer", producer)?, &item)?;
        let words = ["consume"];
        let consumer = turn.interrupt("the consumer", buffer.program(bench, &words))?;
        let closer = turn.start("the closer", buffer.program(bench, &["close"]))?;
        turn.go()?;
        closer
            .finish()?
            .expect_code(0, "beside a producer and a consumer")?;
        let producer = producer.finish()?;
        let consumer = consumer.finish()?;
        if producer.code() == Some(0) {
            return come_out(&item, &[consumer]);
        }
        producer.expect_code(1, "with a buffer that is closed meanwhile")?;
        ensure_eq("items of a producer that was refused", "", &text(&consumer))
    })
}

/// Whoever finds the object ready finds everything else, too.
pub(crate) fn a_buffer_is_complete_when_it_is_ready(bench: &Bench) -> Check {
    bench.explore(|turn| {
        let buffer = Named::new(bench, "ready");
        let words = ["create", "--capacity", "2", "--item-max", "16"];
        let creator = turn.interrupt("the creator", buffer.program(bench, &words))?;
        let item = [word(bench)];
        let producer = fed(turn.start("the producer", producer(bench, &buffer))?, &item)?;
        turn.go()?;
        creator.finish()?.expect_code(0, "with a new name")?;
        let producer = producer.finish()?;
        producer.expect_code(0, "started while the buffer is being created")?;
        let lock = buffer.lock()?;
        ensure(
            lock == 1,
            "the lock when nobody works",
            "1",
            lock.to_string(),
        )?;
        come_out(&item, &[consumer(bench, &buffer, 1).run(b"")?])
    })
}

fn producer(bench: &Bench, buffer: &Named) -> Launch {
    buffer.program(bench, &["produce"]).stdin(Input::Pipe)
}

fn consumer(bench: &Bench, buffer: &Named, count: u32) -> Launch {
    buffer.program(bench, &["consume", "--count", &count.to_string()])
}

/// Gives a producer its whole input.
fn fed(mut producer: Process, items: &[String]) -> Check<Process> {
    producer.feed(items.join("\n").as_bytes())?;
    producer.close_stdin();
    Ok(producer)
}

/// Each item came out of one of the consumers, once.
fn come_out(items: &[String], consumers: &[Done]) -> Check {
    for consumer in consumers {
        consumer.expect_code(0, "beside other processes")?;
    }
    let mut expected = items.to_vec();
    let mut got: Vec<String> = consumers
        .iter()
        .flat_map(|consumer| {
            text(consumer)
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    expected.sort();
    got.sort();
    ensure_eq(
        "the items that came out, in alphabetical order",
        expected,
        got,
    )
}

fn text(done: &Done) -> String {
    String::from_utf8_lossy(&done.stdout).into_owned()
}
