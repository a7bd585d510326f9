//! Given. What a [`Ring`] is made of; pushing and popping is written in `lib.rs`.

use crate::sync::{AtomicUsize, UnsafeCell};

/// A queue of `N` numbers between exactly one producer, which alone calls `try_push`, and exactly
/// one consumer, which alone calls `try_pop`. `N` is a power of two.
///
/// `head` counts pops and `tail` counts pushes; both go round at `usize::MAX`, and item number `n`
/// lies in slot `n % N`. All `N` slots can be full at once. Each index has one writer, and the
/// memory orders on the indices are all that protects the slots; who prefers fences takes them
/// from [`sync`](crate::sync).
#[derive(Debug)]
#[repr(C)]
pub struct Ring<const N: usize> {
    pub(crate) head: CacheLine<AtomicUsize>,
    pub(crate) tail: CacheLine<AtomicUsize>,
    pub(crate) slots: [UnsafeCell<u64>; N],
}

/// Keeps the two indices apart, because each is written by another processor.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct CacheLine<T>(pub(crate) T);

// SAFETY: a slot is written before the producer publishes it and read before the consumer gives
// it back, as long as there is one of each, which the type asks for.
unsafe impl<const N: usize> Sync for Ring<N> {}

impl<const N: usize> Ring<N> {
    /// An empty ring whose counters start at `index`, so that a test need not push 2⁶⁴ numbers
    /// to see them go round.
    pub fn starting_at(index: usize) -> Self {
        const {
            assert!(
                N.is_power_of_two(),
                "the slots must fit the round of the counters"
            )
        };
        Self {
            head: CacheLine(AtomicUsize::new(index)),
            tail: CacheLine(AtomicUsize::new(index)),
            slots: std::array::from_fn(|_| UnsafeCell::new(0)),
        }
    }
}
