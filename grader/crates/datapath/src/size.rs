//! A message size as people write it: `64`, `4K`, `1M`. Powers of 1024.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The length of a message, in bytes: at least 8 (it carries its number), at most 16 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Size(usize);

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl Size {
    /// The sizes that are compared unless others are asked for.
    pub const USUAL: [Self; 6] = [
        Self(64),
        Self(KIB),
        Self(4 * KIB),
        Self(16 * KIB),
        Self(64 * KIB),
        Self(MIB),
    ];

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.0
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            n if n % MIB == 0 => format!("{} MiB", n / MIB),
            n if n % KIB == 0 => format!("{} KiB", n / KIB),
            n => format!("{n} B"),
        };
        f.pad(&text)
    }
}

/// A text that is no size.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is no message size: 8 to 16M bytes, such as 64, 4K or 1M")]
pub struct NoSize {
    text: String,
}

impl FromStr for Size {
    type Err = NoSize;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (digits, unit) = match text.strip_suffix(['K', 'k']) {
            Some(digits) => (digits, KIB),
            None => match text.strip_suffix(['M', 'm']) {
                Some(digits) => (digits, MIB),
                None => (text, 1),
            },
        };
        let bytes = digits.parse::<usize>().ok();
        bytes
            .and_then(|n| n.checked_mul(unit))
            .filter(|bytes| (8..=16 * MIB).contains(bytes))
            .map(Self)
            .ok_or_else(|| NoSize {
                text: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown_as_people_write_them() {
        for (text, bytes, shown) in [
            ("64", 64, "64 B"),
            ("4K", 4096, "4 KiB"),
            ("1m", MIB, "1 MiB"),
            ("1500", 1500, "1500 B"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, shown));
        }
        for text in ["", "7", "K", "-1", "17M", "1G", "99999999999999999999K"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
