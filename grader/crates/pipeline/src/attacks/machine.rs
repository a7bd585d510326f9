//! What the machine shows of a whole campaign of attacks: mounts, control groups, folders,
//! processes and IPC objects that were not there before. It knows nothing of single attacks.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Uid;
use sandbox::{BOX_UID, SPARE_UIDS};

use super::traps::{SETTLING, pids};

/// The machine's state that no attack may change for good, as lines to compare.
pub(super) fn now() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    // Of the kinds that a box makes: others may come and go with the rest of the machine.
    let of_a_box = |line: &&str| {
        let kind = line.split_once(" - ").map_or("", |(_, rest)| rest);
        ["tmpfs", "mqueue", "proc"]
            .iter()
            .any(|its| kind.starts_with(its))
    };
    let mounts = mounts.lines().filter(of_a_box);
    lines.extend(mounts.map(|line| format!("the mount {line}")));
    for root in [
        "/sys/fs/cgroup",
        "/sys/fs/cgroup/pids",
        "/sys/fs/cgroup/memory",
    ] {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let room = name.strip_prefix("ipc-box-");
            // Those of rooms that still run belong to another grader on this machine.
            if room.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                lines.insert(format!("the control group {root}/{name}"));
            }
        }
    }
    for name in ["seat-", "box-", "attack-"] {
        for entry in fs::read_dir(std::env::temp_dir())
            .into_iter()
            .flatten()
            .flatten()
        {
            if entry.file_name().to_string_lossy().starts_with(name) {
                lines.insert(format!("the folder {}", entry.path().display()));
            }
        }
    }
    lines.extend(below(std::process::id()).map(|pid| format!("the process {pid}")));
    lines.extend(ipc_objects());
    lines
}

/// IPC objects of those who are in boxes. Root itself never is.
fn ipc_objects() -> Vec<String> {
    let own = Uid::effective();
    let is_boxed = |uid: u32| match own.is_root() {
        true => uid == BOX_UID || SPARE_UIDS.contains(&uid),
        false => uid == own.as_raw(),
    };
    let mut found = Vec::new();
    for folder in ["/dev/shm", "/dev/mqueue"] {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let boxed = entries.filter(|entry| entry.metadata().is_ok_and(|its| is_boxed(its.uid())));
        found.extend(boxed.map(|entry| format!("the file {}", entry.path().display())));
    }
    for table in ["shm", "sem", "msg"] {
        let text = fs::read_to_string(format!("/proc/sysvipc/{table}")).unwrap_or_default();
        let mut lines = text.lines().map(|line| line.split_whitespace().collect());
        let names: Vec<&str> = lines.next().unwrap_or_default();
        let at = names.iter().position(|name| *name == "uid");
        for line in lines {
            let line: Vec<&str> = line;
            let uid = at.and_then(|at| line.get(at)?.parse().ok());
            if uid.is_some_and(is_boxed) {
                found.push(format!("the System V object {table} {}", line[1]));
            }
        }
    }
    found
}

/// Living descendants of a process. Those whose parents died are among them if it is their
/// subreaper.
fn below(root: u32) -> impl Iterator<Item = i32> {
    let parents: Vec<(i32, i32)> = pids()
        .filter_map(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let mut fields = stat.rsplit_once(") ")?.1.split_whitespace();
            let state = fields.next()?;
            let parent = fields.next()?.parse().ok()?;
            (!matches!(state, "Z" | "X")).then_some((pid, parent))
        })
        .collect();
    let mut tree = vec![root.cast_signed()];
    let mut at = 0;
    while let Some(&parent) = tree.get(at) {
        tree.extend(
            parents
                .iter()
                .filter(|(_, its)| *its == parent)
                .map(|(pid, _)| pid),
        );
        at += 1;
    }
    tree.into_iter().skip(1)
}

/// What was not there before and does not go away.
pub(super) fn left_since(before: &BTreeSet<String>) -> Vec<String> {
    let started = Instant::now();
    loop {
        let left: Vec<String> = now().difference(before).cloned().collect();
        if left.is_empty() || started.elapsed() > SETTLING {
            return left;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_that_stays_is_told() {
        let before = now();
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let left = left_since(&before);
        child.kill().unwrap();
        child.wait().unwrap();
        let expected = format!("the process {}", child.id());
        assert!(left.contains(&expected), "{left:?}");
    }
}
