//! Which path of a submission belongs to which lab, and which paths refuse it.

use super::Refusal;

/// Most entries a submission may have.
pub(super) const MAX_ENTRIES: usize = 2_000;
/// Most bytes one source file may have.
pub(super) const MAX_FILE: u64 = 1 << 20;
/// Most bytes the source files of a submission may have together.
pub(super) const MAX_TOTAL: u64 = 8 << 20;

/// The labs that paths are looked up in.
pub(super) struct Place {
    labs: Vec<String>,
}

/// Where a source file belongs.
pub(super) struct Spot {
    /// What comes before the lab's name: "", "labs", "alice/labs".
    pub(super) root: String,
    /// The lab.
    pub(super) lab: String,
    /// The path below the lab: `src/lib.rs`.
    pub(super) file: String,
}

impl Place {
    pub(super) fn new(labs: &[&str]) -> Self {
        Self {
            labs: labs.iter().map(|&lab| lab.to_owned()).collect(),
        }
    }

    /// The lab and file of a path, if it is a source file: `<lab>/src/x.rs`, with or without
    /// `labs/` and one folder around it.
    pub(super) fn of(&self, path: &str) -> Option<Spot> {
        let parts: Vec<&str> = path.split('/').collect();
        let [roots @ .., lab, "src", file] = parts.as_slice() else {
            return None;
        };
        let known = self.labs.iter().any(|known| known == lab);
        let plain = matches!(roots, [] | [_] | [_, "labs"]);
        let is_rust = file.len() > 3 && file.ends_with(".rs");
        (known && plain && is_rust).then(|| Spot {
            root: roots.join("/"),
            lab: (*lab).to_owned(),
            file: format!("src/{file}"),
        })
    }
}

/// Longest path, in bytes: what Linux takes. Archives may hold names of many megabytes.
const MAX_PATH: usize = 4096;

/// The path as given, if it is a harmless one.
pub(super) fn clean(path: &[u8]) -> Result<String, Refusal> {
    if path.len() > MAX_PATH {
        let start = String::from_utf8_lossy(&path[..40]);
        return Err(Refusal(format!(
            "the path that starts with {start:?} is longer than {MAX_PATH} bytes"
        )));
    }
    let shown = String::from_utf8_lossy(path).into_owned();
    let refuse = |why: &str| Err(Refusal(format!("the path {shown:?} {why}")));
    let Ok(text) = std::str::from_utf8(path) else {
        return refuse("is not UTF-8");
    };
    if text.starts_with('/') {
        return refuse("is absolute");
    }
    if text.contains('\\') {
        return refuse("contains a backslash");
    }
    if text.chars().any(is_unprintable) {
        return refuse("contains control or direction characters");
    }
    let text = text
        .strip_prefix("./")
        .unwrap_or(text)
        .trim_end_matches('/');
    if text.split('/').any(|part| part == "..") {
        return refuse("leaves the submission");
    }
    if text.split('/').any(|part| part.is_empty() || part == ".") && !text.is_empty() && text != "."
    {
        return refuse("has an empty part");
    }
    Ok(text.to_owned())
}

/// Control characters, and those that turn the direction of the text around them.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
