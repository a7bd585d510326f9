//! Control groups: limits over all processes of a cell together. Works with v1 and v2.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::BoxSpec;
use crate::step::{AtStep, StepError};

/// The start of every group's name; the pid of the room follows.
const PREFIX: &str = "ipc-box-";

/// The groups of one cell, removed on drop: one for v2, one a controller for v1.
#[derive(Debug)]
pub(crate) struct Cgroup {
    folders: Vec<PathBuf>,
    doors: Vec<File>,
}

impl Cgroup {
    /// Makes groups that hold what `spec` allows.
    pub(crate) fn create(spec: &BoxSpec) -> Result<Self, StepError> {
        let name = format!("{PREFIX}{}", std::process::id());
        // What is in /tmp and /dev/shm is memory too.
        let memory = (spec.limits.memory + spec.tmp_bytes + spec.shm_bytes).to_string();
        let pids = (spec.limits.processes + 1).to_string(); // and pid 1 itself
        let mut cgroup = Self {
            folders: Vec::new(),
            doors: Vec::new(),
        };
        match Hierarchies::of_this_machine()? {
            Hierarchies::V2(root) => {
                let control = root.join("cgroup.subtree_control");
                fs::write(&control, "+pids +memory").at("delegate cgroup controllers")?;
                let folder = cgroup.add(&root, &name, "cgroup.procs")?;
                limit(&folder, "pids.max", &pids)?;
                limit(&folder, "memory.max", &memory)?;
            }
            Hierarchies::V1 {
                pids: pids_root,
                memory: memory_root,
            } => {
                let folder = cgroup.add(&pids_root, &name, "tasks")?;
                limit(&folder, "pids.max", &pids)?;
                let folder = cgroup.add(&memory_root, &name, "tasks")?;
                limit(&folder, "memory.limit_in_bytes", &memory)?;
            }
        }
        Ok(cgroup)
    }

    /// What a process that is in the making enters the groups by; given away once.
    pub(crate) fn take_doors(&mut self) -> Vec<File> {
        std::mem::take(&mut self.doors)
    }

    /// Whether the kernel has killed one of its processes because the memory was used up.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let files = ["memory.events", "memory.oom_control"]; // of the second and the first version
        let tells = |text: String| {
            let mut counts = text
                .lines()
                .filter_map(|line| line.strip_prefix("oom_kill "));
            counts.any(|count| count != "0")
        };
        let folders = self.folders.iter();
        folders
            .flat_map(|folder| files.map(|file| folder.join(file)))
            .any(|path| fs::read_to_string(path).is_ok_and(tells))
    }

    fn add(&mut self, root: &Path, name: &str, door: &str) -> Result<PathBuf, StepError> {
        sweep(root);
        let folder = root.join(name);
        fs::create_dir(&folder).at(format!("make the cgroup {}", folder.display()))?;
        self.folders.push(folder.clone());
        let door = folder.join(door);
        let step = format!("open {}", door.display());
        self.doors
            .push(File::options().write(true).open(door).at(step)?);
        Ok(folder)
    }
}

/// Moves the calling process, which must have one thread, and so everything that it will fork.
///
/// By itself, with a 0 written to the list of threads: to move any other process, or all threads
/// of one, the kernel first waits until no process of the machine forks, which takes longer than
/// all the rest of opening a box.
pub(crate) fn enter(doors: &[File]) -> Result<(), StepError> {
    for mut door in doors {
        door.write_all(b"0").at("enter the cgroup")?;
    }
    Ok(())
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for folder in &self.folders {
            // A group stays busy for a moment after its last process was reaped. One that is
            // never freed is left to the next box's sweep.
            for _ in 0..100 {
                match fs::remove_dir(folder) {
                    Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                        thread::sleep(Duration::from_millis(1));
                    }
                    _ => break,
                }
            }
        }
    }
}

/// Removes the control groups of boxes whose room was killed, as soon as their last process is
/// gone. Whatever is still busy after `patience` is left to the next box.
pub fn remove_orphans(patience: Duration) {
    let roots = match Hierarchies::of_this_machine() {
        Ok(Hierarchies::V1 { pids, memory }) => vec![pids, memory],
        Ok(Hierarchies::V2(root)) => vec![root],
        Err(_) => return, // no groups were ever made here
    };
    let until = Instant::now() + patience;
    for root in roots {
        while sweep(&root) > 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Removes groups whose room was killed before it could do that itself; how many are still busy.
fn sweep(root: &Path) -> usize {
    let mut n_busy = 0;
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let removed = fs::remove_dir(entry.path()); // refused while anything is in it
            n_busy +=
                usize::from(removed.is_err_and(|error| error.raw_os_error() == Some(libc::EBUSY)));
        }
    }
    n_busy
}

fn limit(folder: &Path, file: &str, value: &str) -> Result<(), StepError> {
    fs::write(folder.join(file), value).at(format!("set {file} to {value}"))
}

/// Where groups with the controllers we need can be made.
enum Hierarchies {
    V1 { pids: PathBuf, memory: PathBuf },
    V2(PathBuf),
}

impl Hierarchies {
    fn of_this_machine() -> Result<Self, StepError> {
        let mounts = fs::read_to_string("/proc/self/mounts").at("read the mounts")?;
        let find = |kind: &str, option: &str| {
            mounts.lines().find_map(|line| {
                let fields: Vec<&str> = line.split(' ').collect();
                let [_, folder, its_kind, options, ..] = fields[..] else {
                    return None;
                };
                let found = its_kind == kind && options.split(',').any(|its| its == option);
                found.then(|| PathBuf::from(folder))
            })
        };
        if let (Some(pids), Some(memory)) = (find("cgroup", "pids"), find("cgroup", "memory")) {
            return Ok(Self::V1 { pids, memory });
        }
        let has_controllers = |root: &PathBuf| {
            let all = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
            ["pids", "memory"]
                .iter()
                .all(|one| all.split_whitespace().any(|its| its == *one))
        };
        find("cgroup2", "rw")
            .filter(has_controllers)
            .map(Self::V2)
            .ok_or(Errno::ENOENT)
            .at("find cgroup controllers for pids and memory")
    }
}
