//! How things look on the terminal: colours only there, never when NO_COLOR is set.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Write};

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

/// Standard output, for a report as it is. Whoever closed it has seen enough: what comes then is
/// dropped.
pub fn output() -> impl Write {
    BufWriter::new(Output)
}

struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match io::stdout().write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match io::stdout().flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// A short report as it is, on standard output.
///
/// # Errors
/// If it cannot be written.
pub fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut output = output();
    output.write_all(bytes)?;
    output.flush()
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
