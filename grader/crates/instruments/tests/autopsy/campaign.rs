//! Every kind of hang many times over, and what each explanation costs: run by hand.
//!
//! `AUTOPSY_REPEATS=50 cargo test --release -p instruments --test autopsy -- --ignored --nocapture`

use std::time::Duration;

use crate::case::take_costs;
use crate::{memory, pipes, processes, sockets, system};

/// Every test that builds a hang and checks what is said of it.
const KINDS: &[(&str, fn())] = &[
    (
        "a_semaphore_that_nobody_posts",
        memory::a_semaphore_that_nobody_posts,
    ),
    (
        "a_semaphore_that_others_cannot_post",
        memory::a_semaphore_that_others_cannot_post,
    ),
    (
        "a_semaphore_that_others_cannot_see",
        memory::a_semaphore_that_others_cannot_see,
    ),
    (
        "a_mutex_whose_owner_has_ended",
        memory::a_mutex_whose_owner_has_ended,
    ),
    (
        "a_mutex_that_another_process_holds",
        memory::a_mutex_that_another_process_holds,
    ),
    (
        "a_mutex_that_is_locked_twice",
        memory::a_mutex_that_is_locked_twice,
    ),
    (
        "a_lock_of_the_standard_library",
        memory::a_lock_of_the_standard_library,
    ),
    (
        "two_threads_that_lock_crosswise",
        memory::two_threads_that_lock_crosswise,
    ),
    (
        "two_processes_that_lock_crosswise",
        memory::two_processes_that_lock_crosswise,
    ),
    (
        "a_reader_that_holds_the_write_end_itself",
        pipes::a_reader_that_holds_the_write_end_itself,
    ),
    (
        "a_writer_whose_pipe_is_full",
        pipes::a_writer_whose_pipe_is_full,
    ),
    ("a_copy_between_two_pipes", pipes::a_copy_between_two_pipes),
    ("a_reader_of_a_fifo", pipes::a_reader_of_a_fifo),
    (
        "opening_a_fifo_that_nobody_writes",
        pipes::opening_a_fifo_that_nobody_writes,
    ),
    (
        "opening_a_fifo_that_nobody_reads",
        pipes::opening_a_fifo_that_nobody_reads,
    ),
    (
        "three_processes_that_wait_for_each_other",
        pipes::three_processes_that_wait_for_each_other,
    ),
    (
        "a_reader_with_a_living_writer_is_in_no_circle",
        pipes::a_reader_with_a_living_writer_is_in_no_circle,
    ),
    ("a_parent_that_waits", processes::a_parent_that_waits),
    (
        "a_child_that_nobody_waits_for",
        processes::a_child_that_nobody_waits_for,
    ),
    (
        "a_process_that_was_stopped",
        processes::a_process_that_was_stopped,
    ),
    ("an_endless_loop", processes::an_endless_loop),
    (
        "polling_instead_of_waiting",
        processes::polling_instead_of_waiting,
    ),
    ("a_plain_sleep", processes::a_plain_sleep),
    ("waiting_for_a_signal", processes::waiting_for_a_signal),
    (
        "a_server_and_a_client_that_wait_for_each_other",
        pipes::a_server_and_a_client_that_wait_for_each_other,
    ),
    (
        "a_deadlock_of_many_threads",
        processes::a_deadlock_of_many_threads,
    ),
    (
        "the_thread_behind_a_join",
        processes::the_thread_behind_a_join,
    ),
    (
        "whoever_is_prepared_for_an_alarm_may_have_set_one",
        processes::whoever_is_prepared_for_an_alarm_may_have_set_one,
    ),
    (
        "a_server_that_nobody_connects_to",
        sockets::a_server_that_nobody_connects_to,
    ),
    (
        "a_server_whose_client_is_silent",
        sockets::a_server_whose_client_is_silent,
    ),
    (
        "a_client_whose_server_does_not_read",
        sockets::a_client_whose_server_does_not_read,
    ),
    (
        "a_client_that_does_not_fit_into_the_backlog",
        sockets::a_client_that_does_not_fit_into_the_backlog,
    ),
    (
        "both_ends_of_a_socket_pair",
        sockets::both_ends_of_a_socket_pair,
    ),
    (
        "a_datagram_that_never_comes",
        sockets::a_datagram_that_never_comes,
    ),
    (
        "several_descriptors_at_once",
        sockets::several_descriptors_at_once,
    ),
    (
        "a_time_limit_of_the_socket_itself_is_seen",
        sockets::a_time_limit_of_the_socket_itself_is_seen,
    ),
    (
        "both_write_and_nobody_reads",
        sockets::both_write_and_nobody_reads,
    ),
    ("a_system_v_semaphore", system::a_system_v_semaphore),
    ("a_system_v_queue", system::a_system_v_queue),
    ("a_posix_message_queue", system::a_posix_message_queue),
    ("a_lock_on_a_file", system::a_lock_on_a_file),
    ("an_event_counter", system::an_event_counter),
];

#[test]
#[ignore = "a campaign: it repeats all the others and prints what they cost"]
fn each_kind_again_and_again() {
    let repeats = std::env::var("AUTOPSY_REPEATS").map_or(5, |n| n.parse().expect("a number"));
    let mut all = Vec::new();
    for (name, hang) in KINDS {
        take_costs();
        for _ in 0..repeats {
            hang();
        }
        let mut costs = take_costs();
        costs.sort();
        say(&format!("{name}, right {repeats} times"), &costs);
        all.extend(costs);
    }
    all.sort();
    say("all kinds", &all);
}

#[expect(
    clippy::print_stdout,
    reason = "the figures are what a campaign is for"
)]
fn say(what: &str, costs: &[Duration]) {
    let ms = |part: usize| costs[(costs.len() - 1) * part / 100].as_secs_f64() * 1e3;
    println!(
        "{what}: median {:.2} ms, worst {:.2} ms of CPU a tree",
        ms(50),
        ms(100)
    );
}
