//! Pipes and FIFOs.

use libc::{SYS_openat, SYS_read, SYS_recvfrom, SYS_splice, SYS_write};
use nix::sys::stat::Mode;

use crate::case::{PAUSE, POLL, folder, path, victim};

#[test]
pub(crate) fn a_reader_that_holds_the_write_end_itself() {
    let case = victim("own-write-end", "").asleep_in("consumer", SYS_read);
    let case = case.asleep_in("producer", PAUSE);
    let producer = format!("producer (pid {}) fd 4", case.process().pid());
    case.is_stuck_and_says(&[
        "consumer (pid ",
        "is blocked in read(3) on pipe:[",
        "which is empty; the write end is still open in: ",
        &producer,
        "It holds the write end itself, fd 4, so end-of-file can never come",
    ]);
}

#[test]
pub(crate) fn a_writer_whose_pipe_is_full() {
    let case = victim("full-pipe", "").asleep_in("filler", SYS_write);
    case.is_stuck_and_says(&[
        "filler (pid ",
        "is blocked in write(4) on pipe:[",
        "which is full; the read end is open in: filler",
        "It holds the read end itself, fd 3, so EPIPE can never come",
    ]);
}

#[test]
pub(crate) fn a_copy_between_two_pipes() {
    let case = victim("splice", "").asleep_in("", SYS_splice);
    case.is_stuck_and_says(&[
        "is blocked in splice: no data comes from fd 3 pipe:[",
        "(open for writing in: victim",
        "no room in fd 6 pipe:[",
    ]);
}

fn fifo(folder: &tempfile::TempDir) -> String {
    let path = path(folder, "a fifo");
    nix::unistd::mkfifo(path.as_str(), Mode::S_IRWXU).expect("make a FIFO");
    path
}

#[test]
pub(crate) fn a_reader_of_a_fifo() {
    let folder = folder();
    let path = fifo(&folder);
    let case = victim("fifo-read", &path).asleep_in("reader", SYS_read);
    case.asleep_in("writer", PAUSE).is_stuck_and_says(&[
        "reader (pid ",
        &format!("on {path}, which is empty"),
        "writer (pid ",
        "It holds the write end itself, fd 3",
    ]);
}

#[test]
pub(crate) fn opening_a_fifo_that_nobody_writes() {
    let folder = folder();
    let path = fifo(&folder);
    victim("fifo-open-read", &path)
        .asleep_in("", SYS_openat)
        .is_stuck_and_says(&[
            &format!("is blocked in open(\"{path}\", O_RDONLY) on a FIFO"),
            "no process has opened the other end for writing",
        ]);
}

#[test]
pub(crate) fn opening_a_fifo_that_nobody_reads() {
    let folder = folder();
    let path = fifo(&folder);
    victim("fifo-open-write", &path)
        .asleep_in("", SYS_openat)
        .is_stuck_and_says(&[
            "O_WRONLY) on a FIFO: no process has opened the other end for reading",
        ]);
}

#[test]
pub(crate) fn three_processes_that_wait_for_each_other() {
    let case = victim("circle-of-three", "")
        .asleep_in("first", SYS_read)
        .asleep_in("second", SYS_read)
        .asleep_in("third", SYS_read);
    let pid = case.process().pid();
    case.is_stuck_and_says(&[
        &format!("a circle: first (pid {pid}), in read waits for third (pid "),
        "), in read, which waits for second (pid ",
        &format!("), in read, which waits for first (pid {pid}): none of them can go on"),
    ]);
}

/// The server waits for a call or for a line, and both can only come from the client.
#[test]
pub(crate) fn a_server_and_a_client_that_wait_for_each_other() {
    let case = victim("circle-of-polls", "")
        .asleep_in("server", POLL)
        .asleep_in("client", SYS_recvfrom);
    case.is_stuck_and_says(&[
        "a circle: server (pid ",
        "poll waits for client (pid ",
        "), in recvfrom, which waits for server (pid ",
    ]);
}

#[test]
pub(crate) fn a_reader_with_a_living_writer_is_in_no_circle() {
    let case = victim("own-write-end", "").asleep_in("consumer", SYS_read);
    let case = case.asleep_in("producer", PAUSE);
    let text = case.autopsy().lines.join("\n");
    assert!(!text.contains("a circle"), "{text}");
}
