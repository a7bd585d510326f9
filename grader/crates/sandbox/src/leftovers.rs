//! What a box's programs left behind: processes and IPC objects.

use std::collections::BTreeSet;
use std::path::Path;

/// What was still there when a box was closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Processes that still ran and were killed; zombies do not count.
    pub processes: u32,
    /// IPC objects that still existed after that, as a person would name them: `/dev/shm/ring`,
    /// `/dev/mqueue/jobs`, `System V semaphore set 3`. They go with the box, except on levels
    /// without an IPC namespace.
    pub ipc: Vec<String>,
}

/// The IPC objects that the calling process can see by name or id. `queues` is where the message
/// queue file system is mounted, which may be a detached mount under `/proc/self/fd`.
pub(crate) fn ipc_objects(queues: &Path) -> BTreeSet<String> {
    let mut objects = BTreeSet::new();
    let places = [(Path::new("/dev/shm"), "/dev/shm"), (queues, "/dev/mqueue")];
    for (place, usual) in places {
        if let Ok(entries) = std::fs::read_dir(place) {
            let path = |name| Path::new(usual).join(name).display().to_string();
            objects.extend(entries.flatten().map(|entry| path(entry.file_name())));
        }
    }
    // `/proc/sysvipc` shows the reader's IPC namespace, whatever namespace `/proc` belongs to.
    for (file, what) in [
        ("shm", "shared memory segment"),
        ("sem", "semaphore set"),
        ("msg", "message queue"),
    ] {
        let table = std::fs::read_to_string(format!("/proc/sysvipc/{file}")).unwrap_or_default();
        let ids = table
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().nth(1));
        objects.extend(ids.map(|id| format!("System V {what} {id}")));
    }
    objects
}
