//! Children: who waits for whom, and who was not waited for.

use super::blocked::Blocked;
use super::calls;
use super::scene::Scene;
use crate::proc::{Process, State};

/// More children than this are only counted.
const MOST_CHILDREN: usize = 6;

pub(super) fn waiting(blocked: &Blocked<'_>) -> String {
    let children = blocked.scene.children(blocked.process);
    let wanted = match (blocked.name.as_str(), blocked.int(0)) {
        ("wait4", pid @ 1..) => format!("child {pid}"),
        _ => "a child".to_owned(),
    };
    let mut states: Vec<String> = children
        .iter()
        .take(MOST_CHILDREN)
        .map(|child| format!("{} {}", blocked.scene.who(*child), state(*child)))
        .collect();
    if let more @ 1.. = children.len().saturating_sub(MOST_CHILDREN) {
        states.push(format!("and {more} more"));
    }
    let states = if states.is_empty() {
        "none".to_owned()
    } else {
        states.join(", ")
    };
    format!(
        "is blocked in {} until {wanted} ends; its children: {states}",
        blocked.name
    )
}

/// The children that could end the wait.
pub(super) fn awaited(blocked: &Blocked<'_>) -> Vec<Process> {
    let mut children = blocked.scene.children(blocked.process);
    if let ("wait4", pid @ 1..) = (blocked.name.as_str(), blocked.int(0)) {
        children.retain(|child| child.inner_pid() == Some(pid));
    }
    children
}

pub(super) fn zombie(scene: &Scene, process: Process) -> String {
    let parent = process
        .parent()
        .map_or_else(|| "its parent".to_owned(), |p| scene.who(p));
    format!("is a zombie: it has ended, and {parent} has not waited for it")
}

fn state(process: Process) -> String {
    match process.state() {
        None | Some(State::Dead) => "has ended".to_owned(),
        Some(State::Zombie) => "is a zombie".to_owned(),
        Some(State::Stopped | State::Traced) => "is stopped".to_owned(),
        Some(State::Running) => "is running".to_owned(),
        Some(State::Asleep | State::Uninterruptible) => match process.syscall() {
            Some(call) => format!("sleeps in {}", calls::name(call.number)),
            None => "sleeps".to_owned(),
        },
    }
}
