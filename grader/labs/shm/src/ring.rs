//! Part 6: the ring without a lock, compared with a queue that is known to be right.

use std::cell::RefCell;
use std::collections::VecDeque;

use harness::{Bench, Check, Fields, Probe, Reply, ensure_eq, wrong};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;

/// One case: slots, where the counters start, and pushes (`Some`) and pops (`None`).
#[derive(Clone, Debug)]
struct Run {
    slots: usize,
    start: usize,
    operations: Vec<Option<u64>>,
}

fn runs() -> impl Strategy<Value = Run> {
    let slots = prop_oneof![Just(1usize), Just(2), Just(4), Just(8)];
    let start = prop_oneof![Just(0usize), Just(usize::MAX - 2), any::<usize>()];
    (slots, start, vec(weighted(0.6, any::<u64>()), 1..60)).prop_map(
        |(slots, start, operations)| Run {
            slots,
            start,
            operations,
        },
    )
}

/// Any sequence of pushes and pops gives what a queue of that size gives, also when the counters
/// go round.
pub(crate) fn a_ring_behaves_like_a_queue_of_its_size(bench: &Bench) -> Check {
    // Once filled and emptied across the end of the counters, whatever the random runs are.
    let operations = [vec![Some(7); 5], vec![None; 5]].concat();
    let probe = RefCell::new(None);
    check(
        bench,
        &probe,
        &Run {
            slots: 4,
            start: usize::MAX - 2,
            operations,
        },
    )?;
    bench.property(64, runs(), |run| check(bench, &probe, &run))
}

/// One probe serves all runs for as long as it lives.
fn check(bench: &Bench, probe: &RefCell<Option<Probe>>, run: &Run) -> Check {
    let mut args = Fields::new()
        .value(run.slots)
        .value(run.start)
        .value(run.operations.len());
    for operation in &run.operations {
        args = match operation {
            Some(value) => args.bytes(value.to_le_bytes()),
            None => args.bytes([]),
        };
    }
    let alive = probe.borrow_mut().take();
    let mut connection = match alive {
        Some(connection) => connection,
        None => bench.probe().connect()?,
    };
    let results = connection.value("Ring", args)?;
    *probe.borrow_mut() = Some(connection);

    let mut model = VecDeque::new();
    for (index, &operation) in run.operations.iter().enumerate() {
        let expected = match operation {
            Some(value) => {
                let has_room = model.len() < run.slots;
                if has_room {
                    model.push_back(value);
                }
                has_room.to_string()
            }
            None => model
                .pop_front()
                .map_or("nothing".into(), |value: u64| value.to_string()),
        };
        let got = match String::from_utf8_lossy(results.get(index)) {
            text if text.is_empty() => "nothing".to_owned(),
            text => text.into_owned(),
        };
        let call = if operation.is_some() {
            "try_push"
        } else {
            "try_pop"
        };
        let what = format!(
            "operation {} ({call}) on a ring of {} with counters from {}",
            index + 1,
            run.slots,
            run.start
        );
        ensure_eq(what, expected, got)?;
    }
    Ok(())
}

/// One producer and one consumer, in every order that the memory model allows and not only in
/// those that this machine shows.
pub(crate) fn a_ring_is_right_in_every_order_of_memory(bench: &Bench) -> Check {
    let mut orders = bench.orders()?.connect()?;
    match orders.call("Ring", Fields::new())? {
        Reply::Value(_) => Ok(()),
        Reply::Error { text, .. } => Err(wrong(
            "three pushes and three pops of two threads, on a ring of 2",
            "every slot is written before it is read, and read before it is written again",
            text,
        )),
    }
}
