//! Semaphores, mutexes and other words in memory.

use libc::SYS_futex;

use crate::case::{PAUSE, victim};

/// The name of a shared memory object, which goes with the test.
struct Name(String);

impl Name {
    fn new(of: &str) -> Self {
        Self(format!("/victim-{}-{of}", std::process::id()))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _never_made = nix::sys::mman::shm_unlink(self.0.as_str());
    }
}

#[test]
pub(crate) fn a_semaphore_that_nobody_posts() {
    let name = Name::new("unposted");
    let case = victim("semaphore", &name.0).asleep_in("", SYS_futex);
    case.is_stuck_and_says(&[
        "is blocked in sem_wait: semaphore value 0, 1 waiter, in shared memory /dev/shm/victim-",
        "at offset 0x40; nobody has posted it",
    ]);
}

#[test]
pub(crate) fn a_semaphore_that_others_cannot_post() {
    let name = Name::new("unshared");
    let case = victim("semaphore-not-shared", &name.0).asleep_in("", SYS_futex);
    case.is_stuck_and_says(&[
        "in shared memory /dev/shm/victim-",
        "It was made with pshared = 0, so sem_post in another process wakes nobody",
    ]);
}

#[test]
pub(crate) fn a_semaphore_that_others_cannot_see() {
    let case = victim("semaphore-in-private-memory", "").asleep_in("", SYS_futex);
    case.is_stuck_and_says(&[
        "semaphore value 0, 1 waiter, in private memory; nobody has posted it",
        "the object must lie in shared memory",
    ]);
}

#[test]
pub(crate) fn a_mutex_whose_owner_has_ended() {
    let case = victim("mutex-of-the-dead", "").asleep_in("", SYS_futex);
    case.is_stuck_and_says(&[
        "is blocked on a mutex in shared anonymous memory at offset 0x0; its owner is pid ",
        "which has ended while holding it",
    ]);
}

#[test]
pub(crate) fn a_mutex_that_another_process_holds() {
    let case = victim("mutex-of-another", "").asleep_in("waiter", SYS_futex);
    case.asleep_in("owner", PAUSE).is_stuck_and_says(&[
        "waiter (pid ",
        "a mutex in shared",
        "its owner is owner (pid ",
    ]);
    let case = victim("robust-mutex-of-another", "").asleep_in("waiter", SYS_futex);
    case.asleep_in("owner", PAUSE).is_stuck_and_says(&[
        "waiter (pid ",
        "a mutex in shared",
        "its owner is owner (pid ",
    ]);
}

#[test]
pub(crate) fn a_mutex_that_is_locked_twice() {
    let case = victim("mutex-twice", "").asleep_in("", SYS_futex);
    case.is_stuck_and_says(&["its owner is this thread itself: it has locked it twice"]);
}

#[test]
pub(crate) fn a_lock_of_the_standard_library() {
    let case = victim("std-mutex", "").asleep_in("", SYS_futex);
    case.is_stuck_and_says(&[
        "as std::sync::Mutex",
        "Only a thread of this process could wake it",
    ]);
}

#[test]
pub(crate) fn two_threads_that_lock_crosswise() {
    let case = victim("threads-crosswise", "").until_asleep_in(SYS_futex, 2);
    let autopsy = case.says(&[
        "a circle: ",
        "thread left, in futex",
        "right (pid ",
        "), in futex",
    ]);
    assert!(autopsy.all_asleep_without_timer, "{autopsy:?}");
    case.says(&[
        "right (pid ",
        "a mutex in private memory",
        "its owner is right",
        "thread left",
    ]);
    case.says(&["right (pid ", ", thread left, is blocked on a mutex"]);
}

#[test]
pub(crate) fn two_processes_that_lock_crosswise() {
    let case = victim("processes-crosswise", "").until_asleep_in(SYS_futex, 2);
    case.is_stuck_and_says(&[
        "a circle: right (pid ",
        "), in futex waits for left (pid ",
        "), in futex, which waits for right (pid ",
    ]);
}
