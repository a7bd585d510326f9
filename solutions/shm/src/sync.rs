//! Given. The few primitives the `Ring` is written against, and nothing else.
//!
//! They are those of the standard library here. A model checker for memory orders (loom) has
//! types of the same names with the same methods; because the ring only says `sync::…`, the
//! checker can put its own in their place and try every order the memory model allows. What the
//! ring takes from elsewhere, such as a `fence`, the checker does not see. This module must not
//! know the ring.

pub use std::sync::atomic::{AtomicUsize, Ordering, fence};

/// A cell that two threads reach through shared references; the code around it must see to it
/// that they never do so at the same time.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// A cell that holds `value`.
    pub fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Lends the value for reading. Dereferencing the pointer is only right while nobody writes.
    pub fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    /// Lends the value for writing. Dereferencing the pointer is only right while nobody else
    /// reads or writes.
    pub fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}
