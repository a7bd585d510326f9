//! System V objects, message queues, locks and other files.

use libc::{SYS_fcntl, SYS_flock, SYS_mq_timedreceive, SYS_mq_timedsend, SYS_msgrcv, SYS_msgsnd};
use libc::{SYS_read, SYS_semtimedop};

use crate::case::{PAUSE, folder, path, victim};

/// A System V object, removed with the test.
enum SystemV {
    Semaphore(i32),
    Queue(i32),
}

impl SystemV {
    fn semaphore() -> Self {
        // SAFETY: only integers go in.
        Self::Semaphore(unsafe { libc::semget(libc::IPC_PRIVATE, 1, 0o600) })
    }

    fn queue() -> Self {
        // SAFETY: only integers go in.
        Self::Queue(unsafe { libc::msgget(libc::IPC_PRIVATE, 0o600) })
    }

    fn id(&self) -> i32 {
        let (Self::Semaphore(id) | Self::Queue(id)) = self;
        *id
    }
}

impl Drop for SystemV {
    fn drop(&mut self) {
        match self {
            // SAFETY: removing takes no fourth argument.
            Self::Semaphore(id) => unsafe { libc::semctl(*id, 0, libc::IPC_RMID) },
            // SAFETY: removing ignores the third argument.
            Self::Queue(id) => unsafe { libc::msgctl(*id, libc::IPC_RMID, std::ptr::null_mut()) },
        };
    }
}

#[test]
pub(crate) fn a_system_v_semaphore() {
    let semaphore = SystemV::semaphore();
    let id = semaphore.id();
    let case = victim("semop", &id.to_string()).asleep_in("", SYS_semtimedop);
    case.is_stuck_and_says(&[&format!(
        "is blocked in semop(semid {id}, semaphore 0, op -1): its value is 0"
    )]);
}

#[test]
pub(crate) fn a_system_v_queue() {
    let queue = SystemV::queue();
    let id = queue.id();
    let case = victim("msgrcv", &id.to_string()).asleep_in("", SYS_msgrcv);
    case.is_stuck_and_says(&[&format!("msgrcv(msqid {id}, type 7): the queue is empty")]);
    drop(case);
    let full = SystemV::queue();
    let case = victim("msgsnd", &full.id().to_string()).asleep_in("", SYS_msgsnd);
    case.is_stuck_and_says(&["is blocked in msgsnd(msqid ", "the queue is full, "]);
    let case_2 = victim("msgrcv", &full.id().to_string()).asleep_in("", SYS_msgrcv);
    case_2.is_stuck_and_says(&["message(s) in the queue, none that it asks for"]);
}

#[test]
pub(crate) fn a_posix_message_queue() {
    let name = |what: &str| format!("/victim-{}-{what}", std::process::id());
    let case = victim("mq-receive", &name("empty")).asleep_in("", SYS_mq_timedreceive);
    case.is_stuck_and_says(&[
        "is blocked in mq_receive on /victim-",
        "the queue is empty (QSIZE:0)",
        "open for sending in: victim (pid ",
    ]);
    let case = victim("mq-send", &name("full")).asleep_in("", SYS_mq_timedsend);
    case.is_stuck_and_says(&["is blocked in mq_send", "the queue is full (QSIZE:5)"]);
}

#[test]
pub(crate) fn a_lock_on_a_file() {
    let folder = folder();
    let case = victim("flock", &path(&folder, "flock")).asleep_in("second", SYS_flock);
    case.asleep_in("first", PAUSE).is_stuck_and_says(&[
        "second (pid ",
        "is blocked in flock(",
        "the lock is held by first (pid ",
    ]);
    let case = victim("fcntl", &path(&folder, "fcntl")).asleep_in("second", SYS_fcntl);
    case.asleep_in("first", PAUSE)
        .is_stuck_and_says(&["is blocked in fcntl(3)", "the lock is held by first (pid "]);
}

#[test]
pub(crate) fn an_event_counter() {
    let case = victim("eventfd", "").asleep_in("", SYS_read);
    case.is_stuck_and_says(&["on anon_inode:[eventfd]: its counter is 0, and nobody adds to it"]);
}
