//! Who is who: which process an announcing thread belongs to, and what role it plays.

use std::collections::HashMap;
use std::fs;

use crate::inject::Actor;

/// The processes heard of so far. A number that the kernel gives to a second process within one
/// test would be taken for the first; numbers come round only after tens of thousands.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    actors: Vec<Actor>,
    by_thread: HashMap<i32, usize>,
}

impl Scene {
    /// The actor that this thread belongs to. A process that is new gets the role of its program,
    /// or a number behind it if that is taken.
    pub(crate) fn actor(&mut self, tid: i32, program: &str) -> usize {
        if let Some(&actor) = self.by_thread.get(&tid) {
            return actor;
        }
        let pid = process_of(tid).unwrap_or(tid);
        let known = self.actors.iter().position(|actor| actor.pid == pid);
        let actor = known.unwrap_or_else(|| {
            let prefix = format!("{program}/");
            let is_taken = self.actors.iter().any(|actor| actor.role == program);
            let n_others = (self.actors.iter())
                .filter(|actor| actor.role.starts_with(&prefix))
                .count();
            let role = match is_taken {
                true => format!("{prefix}{}", n_others + 1),
                false => program.to_owned(),
            };
            self.actors.push(Actor { role, pid });
            self.actors.len() - 1
        });
        self.by_thread.insert(tid, actor);
        actor
    }

    pub(crate) fn actors(&self) -> &[Actor] {
        &self.actors
    }
}

fn process_of(tid: i32) -> Option<i32> {
    let status = fs::read(format!("/proc/{tid}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
}
