//! Leaves nothing running: kills a process with everything it started.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use instruments::proc::{Process, all_processes};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// Marks every process of one test through its environment, which children inherit. It finds
/// those that have left both their parent and their process group.
pub(crate) const MARK: &str = "COACH_ALONE";

/// Kills `leader`, its process group and its descendants. The leader is not reaped.
pub(crate) fn kill_tree(leader: i32) {
    let descendants = Process::new(leader).descendants();
    // The leader first: nobody is left to react to the death of its children.
    let _gone = kill(Pid::from_raw(leader), Signal::SIGKILL);
    let _gone = killpg(Pid::from_raw(leader), Signal::SIGKILL);
    for process in descendants {
        let _gone = kill(Pid::from_raw(process.pid()), Signal::SIGKILL);
    }
}

/// Every living process that carries this mark.
pub(crate) fn marked(mark: &str) -> Vec<Process> {
    all_processes()
        .into_iter()
        .filter(|process| is_marked(*process, mark))
        .collect()
}

/// Kills every process that carries this mark, until none is left.
pub(crate) fn kill_marked(mark: &str) {
    // A process may fork between two rounds; one that outruns so many is not ours to catch.
    for _ in 0..100 {
        let left = marked(mark);
        if left.is_empty() {
            return;
        }
        for process in left {
            let _gone = kill(Pid::from_raw(process.pid()), Signal::SIGKILL);
        }
        sleep(Duration::from_millis(1));
    }
}

fn is_marked(process: Process, mark: &str) -> bool {
    if process.has_ended() {
        return false;
    }
    let wanted = format!("{MARK}={mark}");
    let environment = fs::read(format!("/proc/{}/environ", process.pid())).unwrap_or_default();
    environment
        .split(|&byte| byte == 0)
        .any(|entry| entry == wanted.as_bytes())
}
