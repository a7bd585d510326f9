//! Tries a submission's ring in every order that the memory model allows, with loom, and says
//! whether a value was ever wrong or a slot used by two at once.
//!
//! It knows no expectation but that of the type itself: what is pushed is popped, in its order.
//! The library is built with loom's primitives in place of those in the given `sync.rs`.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use loom::thread;
use probe::{Answer, Fields, serve};
use shm::Ring;

/// One more than there are slots, so that one slot is used twice.
const PUSHES: u64 = 3;

fn main() {
    serve(|call| match call.name() {
        "Ring" => ring(),
        unknown => Err(io::Error::other(format!("no function {unknown}"))),
    })
}

/// Gives back in how many orders everything was right, or what was wrong in the first other one.
fn ring() -> Answer {
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    let mut model = loom::model::Builder::new();
    // More interruptions than these find nothing more in a program of two loops.
    model.preemption_bound = Some(3);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        model.check(move || {
            counted.fetch_add(1, Relaxed);
            push_and_pop();
        });
    }));
    let Err(panic) = outcome else {
        return Ok(Fields::new().value(orders.load(Relaxed)));
    };
    let text = match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (None, Some(text)) => (*text).to_owned(),
        (None, None) => "a panic".to_owned(),
    };
    if text.starts_with("not yet implemented") {
        resume_unwind(panic); // a stub ends as it does everywhere
    }
    let order = orders.load(Relaxed);
    Err(io::Error::other(format!("in order number {order}: {text}")))
}

/// One producer and one consumer.
fn push_and_pop() {
    let ring = Arc::new(Ring::<2>::starting_at(0));
    let theirs = Arc::clone(&ring);
    let producer = thread::spawn(move || {
        for value in 1..=PUSHES {
            while !theirs.try_push(value) {
                thread::yield_now();
            }
        }
    });
    for expected in 1..=PUSHES {
        let popped = loop {
            match ring.try_pop() {
                Some(popped) => break popped,
                None => thread::yield_now(),
            }
        };
        assert_eq!(popped, expected, "the pop number {expected}");
    }
    producer.join().expect("a producer does not panic");
}
