//! Given: signal names as people type them.
//!
//! It knows the numbers of this system only; it sends and handles nothing.

use std::str::FromStr;

use libc::c_int;
use nix::sys::signal::Signal;

/// The number of the signal called `USR1`, `SIGUSR1`, `RTMIN`, `RTMIN+3` or `10`.
///
/// Real-time signals have numbers only, and glibc keeps the first two for itself: `RTMIN` is
/// asked for at run time.
pub fn signal_number(name: &str) -> Option<c_int> {
    if let Ok(number) = name.parse::<c_int>() {
        return (1..=libc::SIGRTMAX()).contains(&number).then_some(number);
    }
    let name = name.strip_prefix("SIG").unwrap_or(name);
    if let Some(offset) = name.strip_prefix("RTMIN") {
        let offset = match offset.strip_prefix('+') {
            Some(digits) => digits.parse::<u8>().ok()?,
            None if offset.is_empty() => 0,
            None => return None,
        };
        let number = libc::SIGRTMIN() + c_int::from(offset);
        return (number <= libc::SIGRTMAX()).then_some(number);
    }
    Signal::from_str(&format!("SIG{name}"))
        .ok()
        .map(|signal| signal as c_int)
}

#[cfg(test)]
mod tests {
    use super::signal_number;

    #[test]
    fn a_signal_is_known_by_both_names_and_by_number() {
        for name in ["USR1", "SIGUSR1", "10"] {
            assert_eq!(signal_number(name), Some(libc::SIGUSR1), "{name}");
        }
        assert_eq!(signal_number("RTMIN+3"), Some(libc::SIGRTMIN() + 3));
    }

    #[test]
    fn what_is_no_signal_has_no_number() {
        for name in ["", "0", "65", "USR3", "RTMIN3", "RTMIN+31", "usr1"] {
            assert_eq!(signal_number(name), None, "{name}");
        }
    }
}
