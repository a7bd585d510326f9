//! File locks: flock(2) and fcntl(2).

use std::fs;

use super::blocked::Blocked;
use crate::proc::Process;

pub(super) fn waiting(blocked: &Blocked<'_>) -> String {
    let Some(fd) = blocked.fd(0) else {
        return blocked.unknown_fd();
    };
    let sentence = format!(
        "is blocked in {}({}) on {}",
        blocked.name, fd.number, fd.target
    );
    let is_lock =
        blocked.name == "flock" || matches!(blocked.int(1), libc::F_SETLKW | libc::F_OFD_SETLKW);
    let Some(object) = fd.object.filter(|_| is_lock) else {
        return sentence;
    };
    let owners = owners(object.inode);
    if owners.is_empty() {
        return format!("{sentence}: somebody out of sight holds the lock");
    }
    let mut named = Vec::new();
    for owner in owners {
        // An open file description lock has no owner but the descriptors themselves.
        match alive(owner) {
            Some(process) if process == blocked.process => named.push(format!(
                "{}: itself, through another open of the same file",
                blocked.scene.who(process)
            )),
            Some(process) => named.push(blocked.scene.who(process)),
            None => {
                let holders = blocked.scene.holders(&fd, |_| true);
                let others: Vec<_> = holders
                    .into_iter()
                    .filter(|(p, _)| *p != blocked.process)
                    .collect();
                let list = blocked.scene.list(&others);
                named.push(match owner {
                    1.. => {
                        format!("pid {owner}, which has ended; the file is still open in: {list}")
                    }
                    _ => format!("an open file description; the file is open in: {list}"),
                });
            }
        }
    }
    format!("{sentence}: the lock is held by {}", named.join(", "))
}

/// The processes whose locks are waited for.
pub(super) fn awaited(blocked: &Blocked<'_>) -> Vec<Process> {
    let object = blocked.fd(0).and_then(|fd| fd.object);
    let owners = object.map_or_else(Vec::new, |object| owners(object.inode));
    owners.into_iter().filter_map(alive).collect()
}

fn alive(pid: i32) -> Option<Process> {
    (pid > 0)
        .then(|| Process::new(pid))
        .filter(|process| !process.has_ended())
}

/// Who holds locks on the file with this inode: pids as `/proc` numbers them, -1 for a lock that
/// belongs to an open file. The device is not compared: some file systems show another one here
/// than stat(2) does.
fn owners(inode: u64) -> Vec<i32> {
    let text = fs::read_to_string("/proc/locks").unwrap_or_default();
    text.lines()
        .filter_map(|line| holder(line, inode))
        .collect()
}

fn holder(line: &str, inode: u64) -> Option<i32> {
    // `1: FLOCK ADVISORY WRITE 1234 fe:00:5678 0 EOF`; who only waits has an arrow after `1:`.
    let words: Vec<&str> = line.split_whitespace().collect();
    let file: u64 = words.get(5)?.rsplit(':').next()?.parse().ok()?;
    (words[1] != "->" && file == inode)
        .then(|| words[4].parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_told_from_those_who_wait() {
        assert_eq!(
            holder("1: FLOCK  ADVISORY  WRITE 1234 fe:00:77 0 EOF", 77),
            Some(1234)
        );
        assert_eq!(
            holder("1: -> FLOCK  ADVISORY  WRITE 1235 fe:00:77 0 EOF", 77),
            None
        );
        assert_eq!(
            holder("2: OFDLCK ADVISORY  WRITE -1 fe:00:77 0 EOF", 77),
            Some(-1)
        );
        assert_eq!(
            holder("1: FLOCK  ADVISORY  WRITE 1234 fe:00:78 0 EOF", 77),
            None
        );
    }
}
