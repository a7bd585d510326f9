//! The terminal while the watch has it: an alternate screen, single keys, and the way back on
//! every exit. A panic, a signal and an error all leave it as it was found.

use std::io::{self, Read, Write, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigHandler, SigSet, Signal, raise, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};

use crate::watch::screen::Row;

/// Those that end us, and the one that says that the window has another size.
const SIGNALS: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGWINCH,
];

const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// `h`.
    Hint,
    /// `n`.
    Next,
    /// `r`.
    Again,
    /// `q`, Ctrl-C, Ctrl-D.
    Quit,
}

/// The terminal; dropping it gives it back.
pub(crate) struct Terminal {
    before: libc::termios,
    signals: SignalFd,
    has_colour: bool,
}

impl Terminal {
    /// Takes the terminal. The signals that end a program are read from a descriptor from now on,
    /// so that none of them can end this one without giving the terminal back.
    pub(crate) fn enter() -> io::Result<Self> {
        let set: SigSet = SIGNALS.into_iter().collect();
        set.thread_block()?;
        let signals = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let mut mode = tcgetattr(stdin())?;
        let before: libc::termios = mode.clone().into();
        let with_its_words = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back(before);
            with_its_words(info);
        }));
        mode.local_flags &= !(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG);
        // A read takes what is there and never waits: poll does that.
        mode.control_chars[SpecialCharacterIndices::VMIN as usize] = 0;
        mode.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        tcsetattr(stdin(), SetArg::TCSAFLUSH, &mode)?;
        let terminal = Self {
            before,
            signals,
            has_colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        write(ENTER);
        Ok(terminal)
    }

    /// Where keys come from.
    pub(crate) fn input(&self) -> BorrowedFd<'static> {
        // SAFETY: descriptor 0 is a terminal, as was checked, and nobody here closes it.
        unsafe { BorrowedFd::borrow_raw(0) }
    }

    /// Where signals come from.
    pub(crate) fn signals(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }

    /// The next signal, if there is one.
    pub(crate) fn signal(&self) -> Option<Signal> {
        let info = self.signals.read_signal().ok()??;
        Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()
    }

    /// The keys that were pressed; `None` when the terminal is gone.
    pub(crate) fn keys(&self) -> Option<Vec<Key>> {
        let mut bytes = [0; 64];
        match stdin().read(&mut bytes) {
            // With VMIN = 0 this is no end of file; a terminal that is gone says EIO.
            Ok(n) => Some(bytes[..n].iter().filter_map(|&byte| key(byte)).collect()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Some(Vec::new()),
            Err(_) => None,
        }
    }

    /// Draws rows for the width and height of the window.
    pub(crate) fn draw(&self, rows: impl FnOnce(usize, usize) -> Vec<Row>) {
        let (width, height) = match terminal_size::terminal_size() {
            Some((width, height)) => (usize::from(width.0), usize::from(height.0)),
            None => (80, 24),
        };
        let mut frame = String::from("\x1b[H");
        let rows = rows(width, height);
        for (row, number) in rows.iter().take(height).zip(1..) {
            for (style, text) in &row.0 {
                match self.has_colour {
                    true => frame.push_str(&format!("{style}{text}{style:#}")),
                    false => frame.push_str(text),
                }
            }
            // A newline after the last row would scroll the first one away.
            frame.push_str(if number < height {
                "\x1b[K\r\n"
            } else {
                "\x1b[K"
            });
        }
        frame.push_str("\x1b[J");
        write(&frame);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back(self.before);
    }
}

fn key(byte: u8) -> Option<Key> {
    Some(match byte {
        b'h' | b'H' | b'?' => Key::Hint,
        b'n' | b'N' => Key::Next,
        b'r' | b'R' => Key::Again,
        b'q' | b'Q' | 3 | 4 => Key::Quit,
        _ => return None,
    })
}

/// May be done twice: a panic does it before its words, and unwinding again.
fn give_back(before: libc::termios) {
    write(LEAVE);
    // A terminal that is gone needs nothing back.
    let _gone = tcsetattr(stdin(), SetArg::TCSADRAIN, &Termios::from(before));
}

/// A frame that cannot be written has no reader.
fn write(text: &str) {
    let mut out = stdout().lock();
    let _unseen = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Ends as a program ends that does not handle the signal, so that whoever sent it sees so.
pub(crate) fn die_by(asked: Signal) -> ! {
    // SAFETY: the default disposition runs no code of ours.
    let default: Result<SigHandler, Errno> = unsafe { signal(asked, SigHandler::SigDfl) };
    let _unblocked = default
        .and_then(|_| SigSet::from(asked).thread_unblock())
        .and_then(|()| raise(asked));
    std::process::exit(128 + asked as i32)
}
