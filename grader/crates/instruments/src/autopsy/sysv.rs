//! System V semaphores and message queues. Their values are seen only from inside the same IPC
//! namespace; from outside a box the call alone is told.

use std::fs;

use super::blocked::Blocked;
use crate::proc::Process;

pub(super) fn semaphore(blocked: &Blocked<'_>) -> String {
    let id = blocked.int(0);
    // struct sembuf: number (u16), operation (i16), flags (i16).
    let Some(bytes) = blocked.pointee(1, 6) else {
        return format!("is blocked in {}(semid {id})", blocked.name);
    };
    let number = u16::from_ne_bytes([bytes[0], bytes[1]]);
    let operation = i16::from_ne_bytes([bytes[2], bytes[3]]);
    let mut sentence = format!(
        "is blocked in {}(semid {id}, semaphore {number}, op {operation:+})",
        blocked.name
    );
    if !shares_objects(blocked.process) {
        return sentence;
    }
    if let Some(value) = control(id, number, libc::GETVAL) {
        sentence += &format!(": its value is {value}");
    }
    if let Some(last @ 1..) = control(id, number, libc::GETPID) {
        let last = Process::new(last);
        sentence += &match last.has_ended() {
            true => format!(", last changed by pid {}, which has ended", last.pid()),
            false => format!(", last changed by {}", blocked.scene.who(last)),
        };
    }
    sentence
}

pub(super) fn message(blocked: &Blocked<'_>) -> String {
    let id = blocked.int(0);
    let wanted = match blocked.name.as_str() {
        "msgrcv" => match blocked.arg(3) as i64 {
            0 => ", any type".to_owned(),
            kind @ 1.. => format!(", type {kind}"),
            kind => format!(", types up to {}", kind.unsigned_abs()),
        },
        _ => String::new(),
    };
    let sentence = format!("is blocked in {}(msqid {id}{wanted})", blocked.name);
    let Some((messages, bytes)) = queue(id).filter(|_| shares_objects(blocked.process)) else {
        return sentence;
    };
    match (blocked.name.as_str(), messages) {
        ("msgrcv", 0) => format!("{sentence}: the queue is empty"),
        ("msgrcv", n) => format!("{sentence}: {n} message(s) in the queue, none that it asks for"),
        (_, n) => format!("{sentence}: the queue is full, {n} message(s) with {bytes} bytes"),
    }
}

fn shares_objects(process: Process) -> bool {
    process.namespace("ipc").is_some_and(|theirs| {
        Process::current()
            .namespace("ipc")
            .is_some_and(|ours| theirs == ours)
    })
}

fn control(id: i32, number: u16, command: i32) -> Option<i32> {
    // SAFETY: GETVAL and GETPID take no fourth argument and touch no memory of ours.
    let value = unsafe { libc::semctl(id, i32::from(number), command) };
    (value >= 0).then_some(value)
}

/// Messages and bytes in a queue.
fn queue(id: i32) -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/sysvipc/msg").ok()?;
    text.lines().skip(1).find_map(|line| {
        // key msqid perms cbytes qnum ...
        let mut words = line.split_whitespace().skip(1);
        let found = words.next()?.parse::<i32>().ok()? == id;
        let bytes = words.nth(1)?.parse().ok()?;
        let messages = words.next()?.parse().ok()?;
        found.then_some((messages, bytes))
    })
}
