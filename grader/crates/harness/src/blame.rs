//! Whose doing it is that an instrument does not work: the machine's, or the program's own.

use std::sync::Arc;

use instruments::explore::{Explorer, Plan};
use instruments::proc::PidFd;
use sandbox::Command;

use crate::bench::Session;
use crate::{Check, Input, Launch, Stop};

/// An instrument that takes the rights of a debugger.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Instrument {
    /// Copying a descriptor of a program.
    Descriptors,
    /// Tracing it.
    Tracing,
}

/// What a test ends with whose instrument did not work on a program. A submission may keep others
/// out (`PR_SET_DUMPABLE`), and must not make a test `unavailable` by it: so a program that does not
/// mind is tried, too.
pub(crate) fn for_want_of(session: &Arc<Session>, instrument: Instrument, text: String) -> Stop {
    match works(session, instrument) {
        Ok(false) => Stop::Unavailable(text),
        Ok(true) => Stop::Fault(format!("{text}; of another program it can be done")),
        Err(stop) => stop,
    }
}

fn works(session: &Arc<Session>, instrument: Instrument) -> Check<bool> {
    let cat = Command::new("/bin/cat");
    let willing = Launch::new(Arc::clone(session), "cat", cat, false)
        .stdin(Input::Pipe)
        .start()?;
    Ok(match instrument {
        Instrument::Descriptors => PidFd::open(willing.pid())?.get_fd(0).is_ok(),
        Instrument::Tracing => {
            let mut explorer = Explorer::new(Plan::InOrder { first: 0 });
            explorer.adopt(willing.pid(), "cat").is_ok()
        }
    })
}
