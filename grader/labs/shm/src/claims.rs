//! What lies in shared memory is a claim: nonsense there is an error, never a crash or an item.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use harness::{Bench, Check, ensure_eq};
use proptest::prelude::{Strategy, any};
use proptest::prop_oneof;

use crate::outside::{Named, SLOTS, word};

const CAPACITY: u64 = 4;
const ITEM_MAX: u32 = 64;

/// What somebody wrote into a buffer that holds one item.
#[derive(Clone, Debug)]
enum Scribble {
    /// Counters that no sequence of pushes and pops leads to.
    Counters { head: u64, queued: u64 },
    /// A length that no item can have.
    Length(u32),
}

fn scribbles() -> impl Strategy<Value = Scribble> {
    // Just past the limit is where comparisons go wrong, far past it where address arithmetic does.
    let queued = prop_oneof![
        CAPACITY + 1..CAPACITY + 4,
        (1u64..4).prop_map(u64::wrapping_neg),
        CAPACITY + 1..=u64::MAX,
    ];
    prop_oneof![
        (any::<u64>(), queued).prop_map(|(head, queued)| Scribble::Counters { head, queued }),
        prop_oneof![ITEM_MAX + 1..ITEM_MAX + 4, ITEM_MAX + 1..=u32::MAX].prop_map(Scribble::Length),
    ]
}

/// Random counters and lengths: exit code 4, and the lock is free for the next one.
pub(crate) fn nonsense_in_shared_memory_is_an_error(bench: &Bench) -> Check {
    let buffer = Named::new(bench, "claims");
    buffer.create(
        bench,
        u32::try_from(CAPACITY).expect("a small number"),
        ITEM_MAX,
    )?;
    buffer.produce(bench, word(bench).as_bytes(), "with an empty buffer")?;
    let sound = buffer.bytes()?;
    bench.property(32, scribbles(), |scribble| {
        let mut bytes = sound.clone();
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        match scribble {
            Scribble::Counters { head, queued } => {
                put(16, &head.to_ne_bytes());
                put(24, &head.wrapping_add(queued).to_ne_bytes());
            }
            Scribble::Length(len) => {
                put(
                    usize::try_from(SLOTS).expect("a small number"),
                    &len.to_ne_bytes(),
                );
            }
        }
        OpenOptions::new()
            .write(true)
            .open(buffer.object())?
            .write_all_at(&bytes, 0)?;
        // A length is only met when popping.
        let command = match scribble {
            Scribble::Counters { head, .. } if head % 2 == 0 => ["produce"].as_slice(),
            _ => &["consume", "--count", "1"],
        };
        let done = buffer.program(bench, command).run(b"item\n")?;
        let lock = buffer.lock()?;
        done.expect_code(4, &format!("with {scribble:?} in the shared memory"))?;
        ensure_eq("the lock after the error (1: free)", 1, lock)
    })
}
