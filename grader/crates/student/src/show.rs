//! How things look on the terminal: colours only there, never when NO_COLOR is set.

use std::fmt::Display;
use std::io::Write;

use anstyle::{AnsiColor, Style};

/// Green.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Red.
pub const BAD: Style = AnsiColor::Red.on_default();
/// Dim.
pub const QUIET: Style = Style::new().dimmed();
/// Bold.
pub const STRONG: Style = Style::new().bold();

/// One line of a command's result, on standard output. Whoever closed it has seen enough.
pub fn line(text: impl Display) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// A report as it is, on standard output. Whoever closed it has seen enough.
///
/// # Errors
/// If it cannot be written.
pub fn bytes(bytes: &[u8]) -> std::io::Result<()> {
    match std::io::stdout().write_all(bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// One line about the work itself, on standard error.
pub fn status(text: impl Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Why a command failed, with the chain of causes.
pub fn error(error: &anyhow::Error) {
    status(format_args!("{BAD}error{BAD:#}: {error:#}"));
}

/// Text in a style.
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}
