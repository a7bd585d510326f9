//! Given. The types of the two kinds of semaphores; what they do is written in `lib.rs`.

use std::cell::UnsafeCell;
use std::ops::Deref;

/// A POSIX semaphore where it lies in memory: a counter that never goes below zero, because who
/// would take it there sleeps instead.
#[derive(Debug)]
#[repr(transparent)]
pub struct Sem(UnsafeCell<libc::sem_t>);

// SAFETY: the sem_* functions are made to be called by many threads on one semaphore at a time.
unsafe impl Sync for Sem {}

impl Sem {
    /// The semaphore as the sem_* functions take it.
    pub fn as_ptr(&self) -> *mut libc::sem_t {
        self.0.get()
    }
}

/// A semaphore that is found by its name; it lives in `/dev/shm/sem.NAME`. It can do all that a
/// [`Sem`] can. Dropping it closes it, which is not unlinking: the name and the value stay.
#[derive(Debug)]
pub struct NamedSem(*mut libc::sem_t);

// SAFETY: a semaphore may be used and closed by any thread.
unsafe impl Send for NamedSem {}
// SAFETY: as for `Sem`.
unsafe impl Sync for NamedSem {}

impl NamedSem {
    /// Takes over what sem_open(3) returned.
    ///
    /// # Safety
    /// `sem` is a semaphore that sem_open has opened and that nobody else will close.
    pub unsafe fn from_ptr(sem: *mut libc::sem_t) -> Self {
        Self(sem)
    }
}

impl Deref for NamedSem {
    type Target = Sem;

    fn deref(&self) -> &Sem {
        // SAFETY: the semaphore stays mapped until `drop`, and `Sem` has the layout of sem_t.
        unsafe { &*self.0.cast() }
    }
}

impl Drop for NamedSem {
    fn drop(&mut self) {
        // SAFETY: the pointer came from sem_open and is closed only here.
        unsafe { libc::sem_close(self.0) };
    }
}
