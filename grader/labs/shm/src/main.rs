//! The hidden tests of the shm lab. The table is the rubric; each function says what it watches.

use std::process::ExitCode;

use harness::{Limits, Test};

mod bill;
mod claims;
mod faults;
mod names;
mod objects;
mod outside;
mod queue;
mod races;
mod ring;
mod semaphores;
mod waiting;

fn main() -> ExitCode {
    harness::main("shm", TESTS)
}

const TESTS: &[Test] = &[
    Test {
        id: "a_store_is_seen_by_every_process",
        part: 1,
        points: 3,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "with MAP_SHARED a store is seen by every process that maps the object; without it each has a copy",
        read: "README part 1, shm_open(3), mmap(2) MAP_SHARED, `Shm::create` in src/lib.rs",
        hint: [
            "Where in /proc/PID/maps is your object, and does its line say rw-s?",
            "mmap(2): MAP_SHARED and MAP_PRIVATE; shm_open(3): where the object is found.",
            "shm_open with O_CREAT and O_EXCL, ftruncate, then map_raw of the descriptor.",
        ],
        run: objects::a_store_is_seen_by_every_process,
    },
    Test {
        id: "an_object_is_opened_only_when_it_is_complete",
        part: 1,
        points: 4,
        needs: &["a_store_is_seen_by_every_process"],
        limits: Limits::DEFAULT,
        why: "an object exists before it has a length, and has a length before it has contents",
        read: "README part 1, fstat(2), ftruncate(2), mmap(2) SIGBUS, `Shm::open` in src/lib.rs",
        hint: [
            "What is in the object between the creator's shm_open and its ftruncate?",
            "mmap(2): SIGBUS. fstat(2): st_size.",
            "Ask fstat again and again, asleep in between, until the length is not 0; map; then wait for the ready word with Acquire; give up at the deadline.",
        ],
        run: objects::an_object_is_opened_only_when_it_is_complete,
    },
    Test {
        id: "a_ring_behaves_like_a_queue_of_its_size",
        part: 6,
        points: 4,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "counters that go round still tell full from empty, if their difference is taken going round, too",
        read: "README part 6, `Ring` in src/ring.rs, `usize::wrapping_sub`",
        hint: [
            "What is 1 - usize::MAX when counters go round?",
            "The documentation of usize::wrapping_sub and wrapping_add.",
            "Full is tail.wrapping_sub(head) == N, empty is head == tail, the slot is the counter % N.",
        ],
        run: ring::a_ring_behaves_like_a_queue_of_its_size,
    },
    Test {
        id: "a_ring_is_right_in_every_order_of_memory",
        part: 6,
        points: 5,
        needs: &["a_ring_behaves_like_a_queue_of_its_size"],
        limits: Limits::DEFAULT.seconds(30),
        why: "a processor and a compiler may reorder what Relaxed does not forbid, even if this machine hardly ever does",
        read: "README part 6, `std::sync::atomic::Ordering`, `Ring::try_push` and `try_pop` in src/lib.rs",
        hint: [
            "Which of your four accesses to the indices tells the other side that a slot is ready for it?",
            "The documentation of Ordering::Release and Ordering::Acquire: they come in pairs.",
            "Store your own index with Release after the slot; load the other side's index with Acquire before it. Only your own index may be loaded Relaxed.",
        ],
        run: ring::a_ring_is_right_in_every_order_of_memory,
    },
    Test {
        id: "names_stay_until_rm",
        part: 1,
        points: 4,
        needs: &["a_store_is_seen_by_every_process"],
        limits: Limits::DEFAULT,
        why: "unmapping and closing remove no name, unlinking does",
        read: "README parts 1 and 3, shm_open(3) shm_unlink, sem_unlink(3), `unlink` in src/lib.rs",
        hint: [
            "Which of your functions remove a name, and who calls them when?",
            "shm_overview(7) and sem_overview(7): Persistence.",
            "`Shm::unlink` and `NamedSem::unlink` remove names; nothing that runs when a value goes away does.",
        ],
        run: names::names_stay_until_rm,
    },
    Test {
        id: "a_process_that_has_to_wait_sleeps",
        part: 4,
        points: 4,
        needs: &["names_stay_until_rm"],
        limits: Limits::DEFAULT,
        why: "waiting is the kernel's work: a process that looks again and again takes the time of those it waits for",
        read: "README part 4, sem_wait(3), `BoundedBuf::push` and `pop` in src/lib.rs",
        hint: [
            "What does top(1) show while your consumer waits?",
            "sem_overview(7), sem_wait(3).",
            "`empty` starts at the capacity and `full` at 0; push waits for `empty`, pop for `full`, with sem_wait.",
        ],
        run: waiting::a_process_that_has_to_wait_sleeps,
    },
    Test {
        id: "a_lock_left_behind_does_no_harm",
        part: 4,
        points: 3,
        needs: &["a_process_that_has_to_wait_sleeps"],
        limits: Limits::DEFAULT,
        why: "sem_open(3) ignores the initial value of a semaphore that exists already",
        read: "README parts 3 and 4, sem_open(3), `BoundedBuf::create` in src/lib.rs",
        hint: [
            "What is the value of a semaphore whose last owner was killed between wait and post?",
            "sem_open(3): what happens to mode and value if the semaphore exists.",
            "A new object has its name to itself: unlink an old lock before opening a new one.",
        ],
        run: names::a_lock_left_behind_does_no_harm,
    },
    Test {
        id: "a_second_create_changes_nothing",
        part: 1,
        points: 3,
        needs: &["a_process_that_has_to_wait_sleeps"],
        limits: Limits::DEFAULT,
        why: "of two creators one wins, and the other one must not touch what is in use",
        read: "README part 1, shm_open(3) O_EXCL, `Shm::create` in src/lib.rs",
        hint: [
            "What does your second creator do between finding out that the name is taken and ending?",
            "shm_open(3): O_CREAT together with O_EXCL.",
            "Let the kernel decide who creates; return its error before anything else is done, to the lock as well.",
        ],
        run: names::a_second_create_changes_nothing,
    },
    Test {
        id: "a_post_wakes_a_process_of_another_program",
        part: 2,
        points: 3,
        needs: &["a_process_that_has_to_wait_sleeps"],
        limits: Limits::DEFAULT,
        why: "a semaphore is only shared between processes if sem_init(3) is told so",
        read: "README part 2, sem_init(3) pshared, `Sem::init_in` in src/lib.rs",
        hint: [
            "Whom can a post wake if the kernel takes the semaphore for private?",
            "sem_init(3): the second argument.",
            "pshared must not be 0.",
        ],
        run: semaphores::a_post_wakes_a_process_of_another_program,
    },
    Test {
        id: "the_lock_is_held_around_the_slots_and_not_asleep",
        part: 4,
        points: 5,
        needs: &["a_process_that_has_to_wait_sleeps"],
        limits: Limits::DEFAULT,
        why: "one process at a time may touch indices and slots, and who sleeps keeps nobody out",
        read: "README part 4, sem_overview(7), `BoundedBuf::push` and `pop` in src/lib.rs",
        hint: [
            "What do you hold while you sleep for a slot, and who needs it to free one?",
            "The order of the two waits in the drawing of the handout: Who sees what.",
            "Wait for the slot, then for the lock; change slot and index; post the lock, then the other counter.",
        ],
        run: waiting::the_lock_is_held_around_the_slots_and_not_asleep,
    },
    Test {
        id: "a_timeout_is_counted_once",
        part: 2,
        points: 4,
        needs: &["a_store_is_seen_by_every_process"],
        limits: Limits::DEFAULT.seconds(20),
        why: "sem_timedwait(3) takes a point in time on CLOCK_REALTIME; an interrupted wait goes on towards the same point",
        read: "README part 2, sem_timedwait(3), `Sem::wait_timeout` in src/lib.rs",
        hint: [
            "When does your call end if a signal handler runs every 10 ms?",
            "sem_timedwait(3): abs_timeout, EINTR, ETIMEDOUT.",
            "Add the timeout to the current time once, outside of the loop that repeats after EINTR.",
        ],
        run: semaphores::a_timeout_is_counted_once,
    },
    Test {
        id: "nonsense_in_shared_memory_is_an_error",
        part: 4,
        points: 4,
        needs: &["a_process_that_has_to_wait_sleeps"],
        limits: Limits::DEFAULT,
        why: "an index or a length from shared memory is a claim until it was compared with what you know yourself",
        read: "README part 4, `BoundedBuf::push` and `pop` in src/lib.rs",
        hint: [
            "What does your pop do when tail - head is a million?",
            "The invariants of the handout, number 5.",
            "Load each counter once; tail.wrapping_sub(head) must fit between 0 and the capacity, and the length must fit the slot; give the lock back also when it does not.",
        ],
        run: claims::nonsense_in_shared_memory_is_an_error,
    },
    Test {
        id: "an_interrupted_wait_takes_nothing",
        part: 4,
        points: 5,
        needs: &[
            "a_process_that_has_to_wait_sleeps",
            "every_item_arrives_once_and_in_order",
        ],
        limits: Limits::DEFAULT,
        why: "sem_wait(3) that a signal interrupts has not taken anything: who goes on all the same reads a slot that nobody filled",
        read: "README parts 2 and 4, sem_wait(3): RETURN VALUE and EINTR, `Sem::wait`",
        hint: [
            "Your semaphore is at 0, a signal comes, sem_wait returns. What has it returned, and what do you have?",
            "sem_wait(3): ERRORS. signal(7): Interruption of system calls",
            "Call sem_wait again as long as it fails with EINTR; pass every other error on",
        ],
        run: faults::an_interrupted_wait_takes_nothing,
    },
    Test {
        id: "one_item_wakes_one_consumer",
        part: 4,
        points: 4,
        needs: &[
            "the_lock_is_held_around_the_slots_and_not_asleep",
            "a_post_wakes_a_process_of_another_program",
        ],
        limits: Limits::DEFAULT,
        why: "`full` counts items and `empty` counts slots: one of each for every push and pop",
        read: "README part 4, sem_post(3), `BoundedBuf::push` and `pop` in src/lib.rs",
        hint: [
            "What are `empty` and `full` after one push and one pop? (od -N 192 shows them.)",
            "sem_post(3); the drawing of the handout: push takes from empty and gives to full.",
            "push posts `full` once, pop posts `empty` once.",
        ],
        run: waiting::one_item_wakes_one_consumer,
    },
    Test {
        id: "a_removed_buffer_works_for_those_who_have_it",
        part: 1,
        points: 3,
        needs: &["one_item_wakes_one_consumer"],
        limits: Limits::DEFAULT,
        why: "a name is not the memory: the object lives until its last user has unmapped it",
        read: "README part 1, shm_open(3) shm_unlink, `Shm::unlink` in src/lib.rs",
        hint: [
            "Which of your processes still needs the memory when the name goes?",
            "shm_open(3): what shm_unlink does to processes that have mapped the object.",
            "shm_unlink, and nothing else.",
        ],
        run: names::a_removed_buffer_works_for_those_who_have_it,
    },
    Test {
        id: "close_wakes_everybody_and_loses_nothing",
        part: 4,
        points: 5,
        needs: &[
            "the_lock_is_held_around_the_slots_and_not_asleep",
            "a_post_wakes_a_process_of_another_program",
        ],
        limits: Limits::DEFAULT,
        why: "end-of-file comes after the last item, and comes to everybody who waits",
        read: "README part 4, `BoundedBuf::close` in src/lib.rs",
        hint: [
            "A post wakes one sleeper. How do the others hear of it?",
            "sem_post(3), and the traps of the handout: close wakes one.",
            "close posts both counters once; who wakes up and finds the buffer closed and empty posts again for the next one. Items come first.",
        ],
        run: waiting::close_wakes_everybody_and_loses_nothing,
    },
    Test {
        id: "an_interrupted_producer_loses_nothing",
        part: 4,
        points: 4,
        needs: &[
            "one_item_wakes_one_consumer",
            "close_wakes_everybody_and_loses_nothing",
        ],
        limits: Limits::DEFAULT.seconds(120),
        why: "between any two accesses to shared memory another process may run for as long as it likes",
        read: "README part 4, sem_overview(7), `BoundedBuf::push` in src/lib.rs",
        hint: [
            "What does a consumer find in a slot that was counted before it was filled?",
            "The drawing of the handout: what happens between the two lines of the lock.",
            "Fill the slot and move `tail` under the lock, in one piece; post `full` only after that.",
        ],
        run: races::an_interrupted_producer_loses_nothing,
    },
    Test {
        id: "an_interrupted_consumer_takes_nothing_twice",
        part: 4,
        points: 4,
        needs: &[
            "one_item_wakes_one_consumer",
            "close_wakes_everybody_and_loses_nothing",
        ],
        limits: Limits::DEFAULT.seconds(120),
        why: "a slot belongs to whoever holds the lock; once `head` has moved, a producer may fill it again",
        read: "README part 4, sem_overview(7), `BoundedBuf::pop` in src/lib.rs",
        hint: [
            "Who may write to the slot that you are still reading?",
            "The drawing of the handout: what happens between the two lines of the lock.",
            "Copy the item out and move `head` under the lock, in one piece; post `empty` only after that.",
        ],
        run: races::an_interrupted_consumer_takes_nothing_twice,
    },
    Test {
        id: "an_item_that_was_pushed_comes_out_before_the_end",
        part: 4,
        points: 4,
        needs: &[
            "one_item_wakes_one_consumer",
            "close_wakes_everybody_and_loses_nothing",
        ],
        limits: Limits::DEFAULT.seconds(120),
        why: "what was true before the lock was taken need not be true any more",
        read: "README part 4, `BoundedBuf::push`, `pop` and `close` in src/lib.rs",
        hint: [
            "When does your push look at `closed`, and what may happen between that and its next step?",
            "sem_overview(7); the word for it is TOCTOU: time of check to time of use.",
            "Look at `closed` under the lock, where you also move `tail` or `head`.",
        ],
        run: races::an_item_that_was_pushed_comes_out_before_the_end,
    },
    Test {
        id: "a_buffer_is_complete_when_it_is_ready",
        part: 4,
        points: 4,
        needs: &[
            "an_object_is_opened_only_when_it_is_complete",
            "one_item_wakes_one_consumer",
        ],
        limits: Limits::DEFAULT.seconds(120),
        why: "a flag that says that something is complete is set last",
        read: "README parts 1 and 4, `BoundedBuf::create` in src/lib.rs",
        hint: [
            "Which of the things that an opener needs exist when your creator stores READY?",
            "The layout in the handout: ready. `std::sync::atomic::Ordering`: Release.",
            "Geometry, both semaphores and the lock first; then the ready word, with Release.",
        ],
        run: races::a_buffer_is_complete_when_it_is_ready,
    },
    Test {
        id: "every_item_arrives_once_and_in_order",
        part: 4,
        points: 5,
        needs: &[
            "one_item_wakes_one_consumer",
            "close_wakes_everybody_and_loses_nothing",
        ],
        limits: Limits::DEFAULT.seconds(30),
        why: "a queue loses nothing, doubles nothing and lets nothing overtake, whoever pushes and pops",
        read: "README part 4, `BoundedBuf` in src/lib.rs",
        hint: [
            "Which items are special: the empty one, the longest one, one for each slot?",
            "The layout in the handout: how long is the length?",
            "Copy the whole item and its whole length, in the slot that the counter says.",
        ],
        run: queue::every_item_arrives_once_and_in_order,
    },
    Test {
        id: "each_way_is_what_it_says",
        part: 5,
        points: 4,
        needs: &[
            "one_item_wakes_one_consumer",
            "close_wakes_everybody_and_loses_nothing",
        ],
        limits: Limits::DEFAULT,
        why: "a pipe copies every byte into the kernel and out again; shared memory copies none",
        read: "README part 5, proc(5) /proc/PID/io, `transfer` in src/lib.rs",
        hint: [
            "How many write(2) calls does `strace -fc` show for each way?",
            "proc(5): wchar in /proc/PID/io. shm_open(3): when an object without a name goes away.",
            "Via::Shm: create a buffer, unlink it, fork; the child pushes and closes, the parent pops until None.",
        ],
        run: bill::each_way_is_what_it_says,
    },
];
