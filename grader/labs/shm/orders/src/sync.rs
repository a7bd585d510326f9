//! The primitives of loom under the names of the standard ones: takes the place of the given
//! `sync.rs` when a submission is built to be tried in every order of memory.

pub use loom::cell::UnsafeCell;
pub use loom::sync::atomic::{AtomicUsize, Ordering, fence};
