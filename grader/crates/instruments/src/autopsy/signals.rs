//! Sleeping until a signal comes.

use super::blocked::Blocked;

/// More names than this are not worth a reader's time.
const MOST_NAMES: usize = 10;

/// sigsuspend(2) and pause(2): sleep until a handler has run. During the call the kernel shows
/// the temporary mask as the blocked set.
pub(super) fn suspended(blocked: &Blocked<'_>) -> String {
    let call = if blocked.name == "pause" {
        "pause"
    } else {
        "sigsuspend"
    };
    let Some(signals) = blocked.thread.signals() else {
        return format!("waits for a signal ({call})");
    };
    let awaited = match signals.caught & !signals.blocked {
        0 => "none of those it lets in has a handler".to_owned(),
        wakes => format!("lets in {}", names(wakes)),
    };
    let mut sentence = format!("waits for a signal ({call}; {awaited})");
    if signals.pending & signals.blocked != 0 {
        let kept = names(signals.pending & signals.blocked);
        sentence += &format!("; pending and blocked: {kept}");
    }
    sentence
}

/// sigwait(3) and relatives: sleep until one of a set is pending.
pub(super) fn accepting(blocked: &Blocked<'_>) -> String {
    let set = blocked
        .pointee(0, 8)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u64::from_ne_bytes);
    let Some(set) = set else {
        return "waits for a signal (sigwait)".to_owned();
    };
    let mut sentence = format!("waits for a signal (sigwait for {})", names(set));
    let pending = blocked
        .thread
        .signals()
        .map_or(0, |signals| signals.pending);
    if pending != 0 {
        sentence += &format!("; pending, but not among them: {}", names(pending));
    }
    sentence
}

/// `SIGINT, SIGUSR1`, or how many if that would be too long.
fn names(set: u64) -> String {
    let numbers: Vec<i32> = (1..=64).filter(|n| set >> (n - 1) & 1 == 1).collect();
    if numbers.len() > MOST_NAMES {
        return format!("{} signals", numbers.len());
    }
    numbers.into_iter().map(name).collect::<Vec<_>>().join(", ")
}

fn name(number: i32) -> String {
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) if number >= 34 => format!("SIGRTMIN+{}", number - 34),
        Err(_) => format!("signal {number}"),
    }
}
