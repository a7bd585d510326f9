//! Picks the few recorded calls that explain a failure.

use std::collections::BTreeSet;

use instruments::inject::Log;
use model::{Clock, Timeline, TimelineRow};

/// More rows than this nobody reads.
pub(crate) const MOST_ROWS: usize = 18;

/// Calls shown before and after one that something was done to.
const AROUND: usize = 2;

/// Calls shown of the end of each process.
const LAST: usize = 2;

/// The calls that something was done to, those around them by the same process, and the last ones
/// of each process.
pub(crate) fn excerpt(log: &Log) -> Timeline {
    let mut chosen = BTreeSet::new();
    let mut actors: Vec<Vec<usize>> = vec![Vec::new(); log.actors.len()];
    for (index, entry) in log.entries.iter().enumerate() {
        actors[entry.actor].push(index);
    }
    let effects = actors.iter().flat_map(|its| {
        let touched = |place: &usize| log.entries[its[*place]].effect.is_some();
        let places = (0..its.len()).filter(touched);
        places.map(move |place| {
            &its[place.saturating_sub(AROUND)..(place + AROUND + 1).min(its.len())]
        })
    });
    let ends = actors
        .iter()
        .map(|its| &its[its.len().saturating_sub(LAST)..]);
    // What was done comes first: if there is too much, the ends are left out.
    for part in effects.chain(ends) {
        if chosen.len() < MOST_ROWS {
            chosen.extend(part.iter().copied());
        }
    }
    let names: Vec<&str> = log.actors.iter().map(|it| it.role.as_str()).collect();
    lay_out(Clock::Microseconds, &names, &chosen, |index| {
        let entry = &log.entries[index];
        TimelineRow {
            at: u64::try_from(entry.at.as_micros()).unwrap_or(u64::MAX),
            column: entry.actor,
            text: log.text(entry),
            effect: entry.effect.clone(),
            after_gap: false,
        }
    })
}

/// The timeline of the chosen ones among all rows. `row` gives each of them with its place among
/// `names` as its column; who is in none of them gets no column.
pub(crate) fn lay_out(
    clock: Clock,
    names: &[&str],
    chosen: &BTreeSet<usize>,
    row: impl Fn(usize) -> TimelineRow,
) -> Timeline {
    let mut rows: Vec<TimelineRow> = chosen.iter().map(|&index| row(index)).collect();
    let seen: BTreeSet<usize> = rows.iter().map(|row| row.column).collect();
    let columns: Vec<usize> = seen.into_iter().collect();
    let mut next = 0;
    for (row, &index) in rows.iter_mut().zip(chosen) {
        row.column = columns.partition_point(|&name| name < row.column);
        row.after_gap = index != next;
        next = index + 1;
    }
    Timeline {
        clock,
        columns: columns.iter().map(|&name| names[name].to_owned()).collect(),
        rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use instruments::inject::{Actor, Entry};

    #[test]
    fn a_long_log_is_cut_to_the_fault_and_the_ends() {
        let actor = |role: &str, pid| Actor {
            role: role.into(),
            pid,
        };
        let mut log = Log {
            actors: vec![actor("writer", 10), actor("idle", 11), actor("reader", 12)],
            ..Log::default()
        };
        for index in 0..1000u64 {
            log.entries.push(Entry {
                at: Duration::from_micros(index),
                actor: if index % 2 == 0 { 0 } else { 2 },
                call: libc::SYS_getpid,
                args: [0; 6],
                target: None,
                blocked: None,
                effect: (index == 500).then(|| "EINTR".into()),
                returned: None,
                reaped: None,
            });
        }
        let timeline = excerpt(&log);
        assert_eq!(timeline.columns, ["writer", "reader"]);
        let at: Vec<u64> = timeline.rows.iter().map(|row| row.at).collect();
        assert_eq!(at, [496, 498, 500, 502, 504, 996, 997, 998, 999]);
        assert_eq!(timeline.rows[2].effect.as_deref(), Some("EINTR"));
        assert!(timeline.rows[0].after_gap && !timeline.rows[6].after_gap);
    }
}
