//! The buffer as a whole: any mix of processes, nothing lost, nothing twice, nothing overtaken.

use std::collections::BTreeSet;

use harness::{Bench, Check, ensure, ensure_eq};
use proptest::collection::vec;
use proptest::prelude::Strategy;

use crate::outside::Named;

/// One case: slots, what each producer sends, number of consumers.
#[derive(Clone, Debug)]
struct Mix {
    capacity: u32,
    /// The lengths of each producer's items.
    producers: Vec<Vec<usize>>,
    consumers: usize,
}

const ITEM_MAX: usize = 256;

fn mixes() -> impl Strategy<Value = Mix> {
    let items = vec(0..=ITEM_MAX, 0..20);
    (1..=8u32, vec(items, 1..=3), 1..=3usize).prop_map(|(capacity, producers, consumers)| Mix {
        capacity,
        producers,
        consumers,
    })
}

/// Every item arrives once, and those of one producer reach any one consumer in their order.
pub(crate) fn every_item_arrives_once_and_in_order(bench: &Bench) -> Check {
    // One case with everything at its limit, whatever the random ones are.
    let fixed = vec![vec![0, 1, 255, ITEM_MAX], vec![ITEM_MAX; 8]];
    check(
        bench,
        &Mix {
            capacity: 1,
            producers: fixed,
            consumers: 2,
        },
    )?;
    bench.property(16, mixes(), |mix| check(bench, &mix))
}

fn check(bench: &Bench, mix: &Mix) -> Check {
    let buffer = Named::new(bench, "mix");
    let item_max = u32::try_from(ITEM_MAX).expect("a small number");
    buffer.create(bench, mix.capacity, item_max)?;
    let start = |_| buffer.program(bench, &["consume"]).start();
    let consumers = (0..mix.consumers).map(start).collect::<Check<Vec<_>>>()?;
    let sent: Vec<Vec<Vec<u8>>> = (b'A'..)
        .zip(&mix.producers)
        .map(|(producer, lens)| {
            (0..)
                .zip(lens)
                .map(|(number, &len)| item(bench, producer, number, len))
                .collect()
        })
        .collect();
    let start = |items: &Vec<Vec<u8>>| {
        let lines: Vec<u8> = items
            .iter()
            .flat_map(|item| [item, &b"\n"[..]].concat())
            .collect();
        buffer.start_producer(bench, &lines)
    };
    for producer in sent.iter().map(start).collect::<Check<Vec<_>>>()? {
        producer
            .finish()?
            .expect_code(0, "with consumers at work")?;
    }
    buffer
        .program(bench, &["close"])
        .run(b"")?
        .expect_code(0, "after the last producer")?;
    let mut arrived = Vec::new();
    for consumer in consumers {
        let done = consumer.finish()?;
        done.expect_code(0, "with a closed buffer")?;
        let lines = done.stdout.strip_suffix(b"\n").map(<[u8]>::to_vec);
        let items: Vec<Vec<u8>> = lines
            .iter()
            .flat_map(|lines| lines.split(|&byte| byte == b'\n'))
            .map(<[u8]>::to_vec)
            .collect();
        in_order(&items)?;
        arrived.extend(items);
    }
    let done = buffer.program(bench, &["rm"]).run(b"")?;
    done.expect_code(0, "after the last consumer")?;
    let mut sent = sent.concat();
    sent.sort();
    arrived.sort();
    ensure_eq(
        "items that arrived, and items that were sent",
        sent.len(),
        arrived.len(),
    )?;
    // A length that is never right is easier to read here than among the bytes.
    let lengths = |items: &[Vec<u8>]| items.iter().map(Vec::len).collect::<BTreeSet<_>>();
    let what = "the lengths of the items that arrived";
    ensure_eq(what, lengths(&sent), lengths(&arrived))?;
    ensure_eq("items that arrived, sorted", shown(&sent), shown(&arrived))
}

/// Bytes that fit on a line. As far as they fit, its first three say who sent the item, and as
/// which one: a letter and two digits.
fn item(bench: &Bench, producer: u8, number: u32, len: usize) -> Vec<u8> {
    let mut item = bench.bytes(len);
    for byte in item.iter_mut().filter(|byte| **byte == b'\n') {
        *byte = 0;
    }
    let tag = format!("{}{number:02}", char::from(producer));
    if let Some(start) = item.first_chunk_mut::<3>() {
        start.copy_from_slice(tag.as_bytes());
    } else {
        // Too short for a tag, and not to be taken for one.
        item.fill(0xff);
    }
    item
}

/// What one consumer got from each producer must be in that producer's order.
fn in_order(items: &[Vec<u8>]) -> Check {
    for producer in [b'A', b'B', b'C'] {
        let tags: Vec<_> = items
            .iter()
            .filter(|item| item.len() >= 3 && item[0] == producer)
            .map(|item| String::from_utf8_lossy(&item[..3]).into_owned())
            .collect();
        ensure(
            tags.is_sorted(),
            "the items of one producer as one consumer popped them",
            "in the order in which they were pushed",
            tags.join(" "),
        )?;
    }
    Ok(())
}

/// Items as text, so that a difference can be read.
fn shown(items: &[Vec<u8>]) -> Vec<String> {
    items
        .iter()
        .map(|item| item.escape_ascii().to_string())
        .collect()
}
