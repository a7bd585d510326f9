//! Ctrl-C, SIGTERM and a closed terminal: stop cleanly, or at once when told twice.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use pipeline::Stop;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What a shell adds to a signal's number to make an exit code.
const BY_SIGNAL: i32 = 128;

/// So long may the programs of boxes that were torn down take to be gone.
const PATIENCE: Duration = Duration::from_millis(300);

/// The signal that asked this program to stop, if one did.
pub(crate) struct Interrupt(Arc<AtomicI32>);

impl Interrupt {
    /// From now on these signals turn `stop` on; a second one ends the program where it stands.
    pub(crate) fn watch(stop: &Stop) -> Result<Self> {
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("watching for Ctrl-C")?;
        let first = Arc::new(AtomicI32::new(0));
        let (stop, seen) = (stop.clone(), Arc::clone(&first));
        thread::spawn(move || {
            for signal in signals.forever() {
                if seen.swap(signal, Ordering::SeqCst) != 0 {
                    std::process::exit(BY_SIGNAL + signal);
                }
                stop.ask();
            }
        });
        Ok(Self(first))
    }

    /// The exit code of a program that was told to stop, once nothing of it is left.
    pub(crate) fn exit_code(&self) -> Option<ExitCode> {
        let signal = self.0.load(Ordering::SeqCst);
        if signal == 0 {
            return None;
        }
        sandbox::remove_orphans(PATIENCE);
        u8::try_from(BY_SIGNAL + signal).ok().map(ExitCode::from)
    }
}
