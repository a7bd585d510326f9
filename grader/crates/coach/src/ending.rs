//! How a process ended, in the kernel's words and with the usual reason.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;

/// `exit status 3`, or `killed by SIGBUS: you touched a page past the end of the object`.
pub fn in_kernel_words(status: ExitStatus) -> String {
    let Some(number) = status.signal() else {
        return match status.code() {
            Some(101) => "exit status 101: it panicked".to_owned(),
            Some(code) => format!("exit status {code}"),
            None => status.to_string(),
        };
    };
    let name = Signal::try_from(number).map_or_else(
        |_| format!("signal {number}"),
        |signal| signal.as_str().to_owned(),
    );
    match usual_reason(number) {
        Some(reason) => format!("killed by {name}: {reason}"),
        None => format!("killed by {name}"),
    }
}

fn usual_reason(number: i32) -> Option<&'static str> {
    Some(match Signal::try_from(number).ok()? {
        Signal::SIGABRT => {
            "the process aborted itself: a panic that may not unwind, as in a signal handler, or \
             damaged memory"
        }
        Signal::SIGALRM => "a timer ran out and nobody handles the signal",
        Signal::SIGBUS => "you touched a page past the end of the object: ftruncate?",
        Signal::SIGFPE => "an arithmetic fault, as a division by zero outside of Rust",
        Signal::SIGILL => "an instruction that does not exist was reached",
        Signal::SIGKILL => "kill -9, by a person, a program or the kernel when memory ran out",
        Signal::SIGPIPE => "it wrote to a pipe or socket that nobody reads any more",
        Signal::SIGSEGV => "you touched memory that is not mapped, or wrote to a read-only page",
        Signal::SIGSYS => "it made a call that is forbidden here",
        Signal::SIGXCPU => "it used up its CPU time",
        Signal::SIGXFSZ => "it wrote a file larger than its limit",
        Signal::SIGTERM | Signal::SIGINT | Signal::SIGHUP => {
            "somebody asked it to end, and it has no handler"
        }
        Signal::SIGUSR1 | Signal::SIGUSR2 | Signal::SIGIO => {
            "the signal came while no handler was installed"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_by_signal_says_what_usually_leads_to_it() {
        let bus = ExitStatus::from_raw(7);
        assert_eq!(
            in_kernel_words(bus),
            "killed by SIGBUS: you touched a page past the end of the object: ftruncate?"
        );
        assert_eq!(
            in_kernel_words(ExitStatus::from_raw(3 << 8)),
            "exit status 3"
        );
    }
}
