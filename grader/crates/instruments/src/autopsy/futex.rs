//! Semaphores, mutexes, joins and everything else that sleeps in futex(2).
//!
//! The kernel knows only an address; which object lies there is told by the traces that glibc
//! and Rust's standard library leave around it.

use super::blocked::Blocked;
use super::futex_word::Word;
use crate::proc::Thread;

/// glibc: the mark of a `sem_t` made with pshared = 1.
const SEM_SHARED: u32 = 128;

/// glibc: the bit of a mutex kind that stands for PTHREAD_PROCESS_SHARED.
const MUTEX_SHARED: u32 = 128;

/// glibc: all bits that a mutex kind may have: type, robust, inheritance, elision, shared.
const MUTEX_KIND: u32 = 0x3ff;

/// Rust: the word of a parked thread.
const PARKED: u32 = u32::MAX;

pub(super) fn waiting(blocked: &Blocked<'_>) -> String {
    let word = Word::new(blocked);
    let value = word.at(0);
    match blocked.int(1) & libc::FUTEX_CMD_MASK {
        libc::FUTEX_LOCK_PI | libc::FUTEX_LOCK_PI2 => {
            let owner = value.unwrap_or(0) & libc::FUTEX_TID_MASK;
            return mutex(&word, owner);
        }
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET => {}
        _ => return format!("is blocked in futex {}", word.place()),
    }
    join(blocked, &word)
        .or_else(|| semaphore(blocked, &word))
        .or_else(|| Some(mutex(&word, locked(blocked, &word)?)))
        .unwrap_or_else(|| other(blocked, &word, value))
}

/// Whether the thread only waits for another one of its process: joins it, or is parked.
pub(super) fn waits_for_thread(blocked: &Blocked<'_>) -> bool {
    if blocked.name != "futex" {
        return false;
    }
    let word = Word::new(blocked);
    let is_parked = blocked.arg(2) as u32 == PARKED && word.at(0) == Some(PARKED);
    is_parked || join(blocked, &word).is_some()
}

/// The one thread that can end the wait, if the word tells: the owner of a mutex, or a thread
/// that is joined.
pub(super) fn awaited(blocked: &Blocked<'_>) -> Option<Thread> {
    let word = Word::new(blocked);
    match blocked.int(1) & libc::FUTEX_CMD_MASK {
        libc::FUTEX_LOCK_PI | libc::FUTEX_LOCK_PI2 => {
            word.thread(word.at(0)? & libc::FUTEX_TID_MASK)
        }
        _ => joined(blocked, &word).or_else(|| word.thread(locked(blocked, &word)?)),
    }
}

fn join(blocked: &Blocked<'_>, word: &Word<'_>) -> Option<String> {
    let name = joined(blocked, word)?.name().unwrap_or_default();
    Some(format!("waits for its thread {name} to end (pthread_join)"))
}

/// pthread_join(3) waits until the kernel clears the thread's number. The kernel does not know
/// that the word is private, which tells it from a lock whose value is that number by chance.
fn joined(blocked: &Blocked<'_>, word: &Word<'_>) -> Option<Thread> {
    let expected = blocked.arg(2) as u32;
    if is_private(blocked) || word.at(0) != Some(expected) {
        return None;
    }
    word.sibling(expected)
}

/// `sem_t`: value, number of waiters, and whether it is shared between processes. A waiter
/// expects the value 0.
fn semaphore(blocked: &Blocked<'_>, word: &Word<'_>) -> Option<String> {
    let (value, waiters, shared) = (word.at(0)?, word.at(4)?, word.at(8)?);
    let is_private_call = is_private(blocked);
    let agrees = shared == if is_private_call { 0 } else { SEM_SHARED };
    if blocked.arg(2) as u32 != 0 || !agrees || !(1..=10_000).contains(&waiters) {
        return None;
    }
    let plural = if waiters == 1 { "waiter" } else { "waiters" };
    let mut sentence = format!(
        "is blocked in sem_wait: semaphore value {value}, {waiters} {plural}, {}",
        word.place()
    );
    sentence += match (value, is_private_call && word.is_shared()) {
        (0, false) => "; nobody has posted it",
        (_, false) => "; it was posted, but the sleeper was not woken",
        (_, true) => {
            ". It was made with pshared = 0, so sem_post in another process wakes nobody here"
        }
    };
    Some(sentence + word.nobody_else())
}

/// `pthread_mutex_t`: lock word, count, owner, users, kind. A waiter expects 2, or in a robust
/// mutex the owner's number with the waiters' bit. Gives back the owner's number.
fn locked(blocked: &Blocked<'_>, word: &Word<'_>) -> Option<u32> {
    let (value, owner, users, kind) = (word.at(0)?, word.at(8)?, word.at(12)?, word.at(16)?);
    let expected = blocked.arg(2) as u32;
    let is_robust = expected & libc::FUTEX_WAITERS != 0 && expected != PARKED;
    if expected != 2 && !is_robust || kind & !MUTEX_KIND != 0 || value == 0 {
        return None;
    }
    let owner = if is_robust {
        value & libc::FUTEX_TID_MASK
    } else {
        owner
    };
    let agrees = is_robust || (kind & MUTEX_SHARED == 0) == is_private(blocked);
    (agrees && users > 0 && owner > 0).then_some(owner)
}

fn mutex(word: &Word<'_>, owner: u32) -> String {
    let owner_name = word.owner(owner);
    format!(
        "is blocked on a mutex {}; its owner is {owner_name}",
        word.place()
    )
}

fn other(blocked: &Blocked<'_>, word: &Word<'_>, value: Option<u32>) -> String {
    let kind = match (value, blocked.arg(2) as u32) {
        (Some(PARKED), PARKED) => "a parked thread: a channel, a join handle or thread::park",
        (Some(2), 2) => "a lock that is taken and has waiters, as std::sync::Mutex",
        _ => "a condition variable, a barrier or another lock",
    };
    let value = value.map_or_else(|| "unreadable".to_owned(), |value| format!("{value:#x}"));
    format!(
        "is blocked in futex ({kind}), word {value} {}{}",
        word.place(),
        word.nobody_else()
    )
}

fn is_private(blocked: &Blocked<'_>) -> bool {
    blocked.int(1) & libc::FUTEX_PRIVATE_FLAG != 0
}
