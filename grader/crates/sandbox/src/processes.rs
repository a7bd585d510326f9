//! Which processes run, as `/proc` tells it.

use std::collections::HashMap;

/// A process that is not a zombie.
struct Running {
    pid: i32,
    parent: i32,
}

/// The processes that `/proc` shows, except `me` and zombies.
pub(crate) fn others(me: i32) -> Vec<i32> {
    running()
        .into_iter()
        .map(|process| process.pid)
        .filter(|pid| *pid != me)
        .collect()
}

/// The descendants of `root`, except zombies.
pub(crate) fn descendants(root: i32) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for process in running() {
        children
            .entry(process.parent)
            .or_default()
            .push(process.pid);
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(parent) = next.pop() {
        let theirs = children.remove(&parent).unwrap_or_default();
        next.extend(&theirs);
        found.extend(theirs);
    }
    found
}

fn running() -> Vec<Running> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(parse)
        .collect()
}

fn parse(pid: i32) -> Option<Running> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may itself hold parentheses and spaces.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    match fields.next()? {
        "Z" | "X" => None,
        _ => Some(Running {
            pid,
            parent: fields.next()?.parse().ok()?,
        }),
    }
}
