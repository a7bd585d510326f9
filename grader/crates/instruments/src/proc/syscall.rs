//! The call that a thread is in, from `/proc/PID/task/TID/syscall`.

use std::fs;

use super::{State, Thread};

/// A system call with its raw arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syscall {
    /// Its number: `libc::SYS_read`, ...
    pub number: i64,
    /// Its six registers; those the call does not take hold leftovers.
    pub args: [u64; 6],
}

/// What the kernel tells about the place of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It runs, or it was interrupted while it ran.
    Running,
    /// It is inside a call.
    Inside(Syscall),
    /// It sleeps in the kernel outside of any call, as at a page fault.
    Elsewhere,
}

impl Thread {
    /// The call it sleeps in. `None` also when it runs or the kernel does not tell.
    pub fn syscall(self) -> Option<Syscall> {
        match self.activity()? {
            Activity::Inside(call) => Some(call),
            Activity::Running | Activity::Elsewhere => None,
        }
    }

    /// Where it is. `None` when the kernel does not tell: another user's process.
    pub fn activity(self) -> Option<Activity> {
        parse(&fs::read_to_string(self.file("syscall")).ok()?)
    }

    /// How often it went to sleep so far, if it sleeps and can be woken: the same number later is the
    /// same sleep. The state alone does not say that it sleeps: a call that only looks, as waitid(2)
    /// with `WNOHANG`, is in state `S` meanwhile although it never leaves the CPU.
    pub(super) fn sleep_number(self) -> Option<u64> {
        let status = self.status()?;
        let sleeps =
            status.state() == Some(State::Asleep) && self.activity() != Some(Activity::Running);
        // What the kernel does not count is no evidence of another sleep.
        sleeps.then(|| status.voluntary_switches().unwrap_or_default())
    }

    /// The kernel function it sleeps in: a hint only, it may read `0`.
    pub fn kernel_function(self) -> Option<String> {
        fs::read_to_string(self.file("wchan"))
            .ok()
            .filter(|name| !name.is_empty() && name != "0")
    }
}

fn parse(line: &str) -> Option<Activity> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    if first == "running" {
        return Some(Activity::Running);
    }
    let number: i64 = first.parse().ok()?;
    if number < 0 {
        return Some(Activity::Elsewhere);
    }
    let mut args = [0; 6];
    for arg in &mut args {
        *arg = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    }
    Some(Activity::Inside(Syscall { number, args }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_call_a_running_thread_and_a_page_fault_are_told_apart() {
        assert_eq!(
            parse("0 0x3 0x7ffd 0xa 0x0 0x0 0x22 0x7ffc 0x7f1e\n"),
            Some(Activity::Inside(Syscall {
                number: 0,
                args: [3, 0x7ffd, 10, 0, 0, 0x22]
            }))
        );
        assert_eq!(parse("running\n"), Some(Activity::Running));
        assert_eq!(parse("-1 0x7ffc 0x7f1e\n"), Some(Activity::Elsewhere));
        assert_eq!(parse(""), None);
    }
}
