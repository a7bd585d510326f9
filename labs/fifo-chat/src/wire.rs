//! Given: what a line of the chat looks like, and which FIFO belongs to whom.
//!
//! A line is `nick TAB text NEWLINE`. This module knows names and bytes; it opens nothing.

use std::path::{Path, PathBuf};

/// The longest line in bytes, its newline included: what one `write(2)` into a pipe carries
/// without being torn (`PIPE_BUF`).
pub const MAX_LINE: usize = libc::PIPE_BUF;

/// The hub's own name, which no member may take: its FIFO is everybody's way in.
pub const HUB: &str = "hub";

/// Whether `nick` may be the name of a member.
///
/// A nick becomes a file name, so what could lead out of the chat's folder is refused: it is
/// 1 to 32 bytes long, without control characters and slashes, does not start with a dot, and
/// is not the hub's.
pub fn is_nick(nick: &str) -> bool {
    (1..=32).contains(&nick.len())
        && !nick.contains(|c: char| c.is_control() || c == '/')
        && !nick.starts_with('.')
        && nick != HUB
}

/// The FIFO that `nick` (or [`HUB`]) reads in the chat's folder.
pub fn fifo_of(dir: &Path, nick: &str) -> PathBuf {
    dir.join(format!("{nick}.fifo"))
}

/// Who says this line (given without its newline), or `None` if it is not a line of the chat.
pub fn speaker(line: &[u8]) -> Option<&str> {
    let tab = line.iter().position(|&byte| byte == b'\t')?;
    std::str::from_utf8(&line[..tab])
        .ok()
        .filter(|nick| is_nick(nick))
}
