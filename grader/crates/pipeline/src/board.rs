//! Which hidden test of a seat is next: bases before their dependants, and a test that hung, or in
//! which we failed, once more, alone, at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard};

use model::{Outcome, RubricRow};

/// Which tests wait, run and are done; shared by the threads that run them.
pub(crate) struct Board<'a, E> {
    state: Mutex<State<'a, E>>,
    changed: Condvar,
}

struct State<'a, E> {
    waiting: Vec<&'a RubricRow>,
    again: Vec<&'a RubricRow>,
    running: BTreeSet<&'a str>,
    outcomes: BTreeMap<String, Outcome>,
    error: Option<E>,
}

/// What to do with a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Run it beside others.
    First,
    /// Run it once more, with nothing of this seat beside it.
    Alone,
    /// Do not run it: this test, which it needs, did not pass.
    Skip(String),
}

impl<'a, E> Board<'a, E> {
    /// The rows to run, in rubric order; those with a known outcome count as done.
    pub(crate) fn new(rows: Vec<&'a RubricRow>, known: BTreeMap<String, Outcome>) -> Self {
        let waiting = rows
            .into_iter()
            .filter(|row| !known.contains_key(&row.id))
            .collect();
        let state = State {
            waiting,
            again: Vec::new(),
            running: BTreeSet::new(),
            outcomes: known,
            error: None,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// The next test that can be decided; waits while one may become so.
    pub(crate) fn next(&self) -> Option<(&'a RubricRow, Turn)> {
        let mut state = self.lock();
        loop {
            if state.error.is_some() || state.waiting.is_empty() && state.again.is_empty() {
                return None;
            }
            if let Some((row, turn)) = state.take() {
                state.running.insert(&row.id);
                return Some((row, turn));
            }
            state = self
                .changed
                .wait(state)
                .expect("no holder of this lock panics");
        }
    }

    /// The test hit its deadline, or we failed: it gets another turn.
    pub(crate) fn again(&self, row: &'a RubricRow) {
        let mut state = self.lock();
        state.running.remove(row.id.as_str());
        state.again.push(row);
        self.changed.notify_all();
    }

    /// The test has its verdict; an error ends everything.
    pub(crate) fn finished(&self, row: &'a RubricRow, outcome: Outcome, result: Result<(), E>) {
        let mut state = self.lock();
        state.running.remove(row.id.as_str());
        state.outcomes.insert(row.id.clone(), outcome);
        if let Err(error) = result {
            state.error.get_or_insert(error);
        }
        self.changed.notify_all();
    }

    /// The first error, once nobody runs any more.
    pub(crate) fn into_result(self) -> Result<(), E> {
        let state = self
            .state
            .into_inner()
            .expect("no holder of this lock panics");
        state.error.map_or(Ok(()), Err)
    }

    fn lock(&self) -> MutexGuard<'_, State<'a, E>> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

impl<'a, E> State<'a, E> {
    fn take(&mut self) -> Option<(&'a RubricRow, Turn)> {
        let ready = |(at, row): (usize, &&RubricRow)| self.turn(row).map(|turn| (at, turn));
        if let Some((at, turn)) = self.waiting.iter().enumerate().find_map(ready) {
            return Some((self.waiting.remove(at), turn));
        }
        match self.running.is_empty() {
            true => self.again.pop().map(|row| (row, Turn::Alone)),
            false => None,
        }
    }

    /// What can be done with a row now; nothing while a test it needs is still to come. A base
    /// that is not part of this run at all does not hold it up.
    fn turn(&self, row: &RubricRow) -> Option<Turn> {
        for base in &row.needs {
            match self.outcomes.get(base) {
                // What cannot be tested here is no reason to hold back what can.
                Some(Outcome::Pass | Outcome::Unavailable) => {}
                Some(_) => return Some(Turn::Skip(base.clone())),
                None if self.is_to_come(base) => return None,
                None => {}
            }
        }
        Some(Turn::First)
    }

    fn is_to_come(&self, id: &str) -> bool {
        let mut to_come = self.waiting.iter().chain(&self.again);
        self.running.contains(id) || to_come.any(|row| row.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Limits;

    fn row(id: &str, needs: &[&str]) -> RubricRow {
        RubricRow {
            id: id.into(),
            part: 1,
            points: 1,
            needs: needs.iter().map(|&id| id.into()).collect(),
            limits: Limits::DEFAULT,
            why: String::new(),
            read: String::new(),
            hint: Default::default(),
        }
    }

    fn taken(board: &Board<'_, ()>) -> Option<(String, Turn)> {
        board.next().map(|(row, turn)| (row.id.clone(), turn))
    }

    #[test]
    fn a_dependant_waits_for_its_base_and_is_skipped_if_that_fails() {
        let rows = [row("base", &[]), row("leaf", &["base"]), row("other", &[])];
        let board = Board::<()>::new(rows.iter().collect(), BTreeMap::new());
        assert_eq!(taken(&board), Some(("base".into(), Turn::First)));
        assert_eq!(taken(&board), Some(("other".into(), Turn::First)));
        board.finished(&rows[2], Outcome::Pass, Ok(()));
        board.finished(&rows[0], Outcome::Fail, Ok(()));
        assert_eq!(
            taken(&board),
            Some(("leaf".into(), Turn::Skip("base".into())))
        );
        board.finished(&rows[1], Outcome::Skipped, Ok(()));
        assert_eq!(taken(&board), None);
    }

    #[test]
    fn a_test_to_be_repeated_comes_alone_before_its_dependants_are_decided() {
        let rows = [row("base", &[]), row("other", &[]), row("leaf", &["base"])];
        let board = Board::<()>::new(rows.iter().collect(), BTreeMap::new());
        let (base, _) = board.next().unwrap();
        let (other, _) = board.next().unwrap();
        board.again(base);
        board.finished(other, Outcome::Pass, Ok(()));
        assert_eq!(taken(&board), Some(("base".into(), Turn::Alone)));
        board.finished(base, Outcome::Pass, Ok(()));
        assert_eq!(taken(&board), Some(("leaf".into(), Turn::First)));
    }

    #[test]
    fn an_error_ends_everything() {
        let rows = [row("a", &[]), row("b", &[])];
        let board = Board::new(rows.iter().collect(), BTreeMap::new());
        let (a, _) = board.next().unwrap();
        board.finished(a, Outcome::Pass, Err("disk full"));
        assert_eq!(board.next().map(|(row, _)| row.id.clone()), None);
        assert_eq!(board.into_result(), Err("disk full"));
    }
}
