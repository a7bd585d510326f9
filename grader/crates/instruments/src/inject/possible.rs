//! Which calls an effect can be had on.

use crate::inject::Effect;
use crate::inject::memory::Buffers;
use crate::inject::notify::Announced;
use crate::inject::proxy::Proxy;
use crate::proc::{Process, Signals, read_u64};

/// Whether an effect means anything on this call. Nobody can shorten what is short already. A
/// signal is sent before a sleep only, and not to a process that would just die of it. A call that
/// only looks is over before a signal could interrupt it: Rust's runtime starts with such a poll,
/// and repeats it until all the interruptions meant for the program's own are used up.
pub(crate) fn is_possible(effect: &Effect, announced: &Announced) -> bool {
    let thread = Process::new(announced.tid.cast_signed());
    let (call, args) = (announced.call(), &announced.args);
    match effect {
        Effect::Short(length) => {
            let buffers = Buffers::of(thread, call, args);
            let is_long = buffers.is_some_and(|buffers| buffers.length() > *length);
            is_long && Proxy::can_make(thread, call, args)
        }
        Effect::Signal(signal) => {
            let awaited = |signals: Signals| signals.caught | signals.blocked;
            let awaited = thread.signals().map_or(0, awaited);
            awaited & (1 << (signal - 1)) != 0 && !returns_at_once(thread, call, args)
        }
        Effect::Eintr => !returns_at_once(thread, call, args),
        _ => true,
    }
}

/// Whether a call only looks and does not wait. Programs do that before they are ready.
fn returns_at_once(thread: Process, call: i64, args: &[u64; 6]) -> bool {
    let is_zero = |address: u64| {
        let time = [0, 8].map(|offset| read_u64(thread, address + offset));
        address != 0 && time == [Some(0), Some(0)]
    };
    match call {
        libc::SYS_ppoll => is_zero(args[2]),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => args[2] as i32 == 0,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait => args[3] as i32 == 0,
        libc::SYS_epoll_pwait => args[3] as i32 == 0,
        _ => false,
    }
}
