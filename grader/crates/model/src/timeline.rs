//! The few recorded calls, or accesses to shared memory, that matter for a verdict: one column a
//! process, time runs downwards.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::printable;

/// What several processes did, in the order in which they did it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// What the rows are counted in.
    #[serde(default, skip_serializing_if = "Clock::is_of_time")]
    pub clock: Clock,
    /// The processes: the role that the test gave each program.
    pub columns: Vec<String>,
    /// What they did.
    pub rows: Vec<TimelineRow>,
}

/// What the rows of a timeline are counted in, and so what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Recorded system calls, in microseconds since recording began.
    #[default]
    Microseconds,
    /// Accesses to shared memory under a schedule, in steps of all programs together. One program
    /// runs at a time and is stopped at each step, so times would mean nothing.
    Steps,
}

/// One call or one access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineRow {
    /// When, as the timeline's clock counts. Evidence that is older than the clock calls it
    /// `at_us`.
    #[serde(alias = "at_us")]
    pub at: u64,
    /// The process, as an index into the columns.
    pub column: usize,
    /// What it did, as people write it: `read(0 = pipe A, 4096)`, `load ring +0x40: 3`.
    pub text: String,
    /// What the test did to it, if anything: `EINTR`, `held`.
    pub effect: Option<String>,
    /// Whether rows before it were left out.
    pub after_gap: bool,
}

impl Clock {
    /// What stands above the moments.
    fn unit(self) -> &'static str {
        match self {
            Self::Microseconds => "ms",
            Self::Steps => "step",
        }
    }

    /// A moment, below its unit.
    fn moment(self, at: u64) -> String {
        match self {
            Self::Microseconds => format!("{:.3}", at as f64 / 1000.0),
            Self::Steps => at.to_string(),
        }
    }

    /// A moment where nothing stands above it: `2.034 ms`, `step 41`.
    pub fn told(self, at: u64) -> String {
        let (moment, unit) = (self.moment(at), self.unit());
        match self {
            Self::Microseconds => format!("{moment} {unit}"),
            Self::Steps => format!("{unit} {moment}"),
        }
    }

    fn is_of_time(&self) -> bool {
        *self == Self::Microseconds
    }
}

impl Timeline {
    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The same without what a hostile name could do to a terminal.
    pub(crate) fn printable(&self) -> Self {
        let one_line = |text: &str| printable(text).replace(['\n', '\t'], " ");
        let row = |row: &TimelineRow| TimelineRow {
            text: one_line(&row.text),
            effect: row.effect.as_deref().map(one_line),
            ..row.clone()
        };
        Self {
            clock: self.clock,
            columns: self.columns.iter().map(|name| one_line(name)).collect(),
            rows: self.rows.iter().map(row).collect(),
        }
    }
}

impl TimelineRow {
    /// What it did, with what was done to it.
    pub fn told(&self) -> String {
        match &self.effect {
            Some(effect) => format!("{} <- {effect}", self.text),
            None => self.text.clone(),
        }
    }
}

/// A longer text is cut: columns have to stay beside each other.
const WIDEST: usize = 46;

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let of_column = self.rows.iter().filter(|row| row.column == column);
            let widest = of_column.map(|row| row.told().chars().count()).max();
            let name = self.columns[column].chars().count();
            widest.unwrap_or(0).max(name).min(WIDEST)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |time: &str, cells: &[String]| {
            let mut line = format!("{time:>10}");
            for (cell, width) in cells.iter().zip(&widths) {
                line += &format!("  {:<width$}", cut(cell, *width));
            }
            line.trim_end().to_owned()
        };
        write!(f, "{}", line(self.clock.unit(), &self.columns))?;
        for row in &self.rows {
            if row.after_gap {
                write!(f, "\n{:>10}", "...")?;
            }
            let mut cells = vec![String::new(); self.columns.len()];
            if let Some(cell) = cells.get_mut(row.column) {
                *cell = row.told();
            }
            write!(f, "\n{}", line(&self.clock.moment(row.at), &cells))?;
        }
        Ok(())
    }
}

fn cut(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text
            .chars()
            .take(width.saturating_sub(1))
            .chain(['…'])
            .collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at: u64, column: usize, text: &str, effect: Option<&str>) -> TimelineRow {
        TimelineRow {
            at,
            column,
            text: text.into(),
            effect: effect.map(str::to_owned),
            after_gap: false,
        }
    }

    #[test]
    fn each_process_has_a_column_and_time_runs_downwards() {
        let read = row(2034, 1, "read(0 = pipe A, 10)", Some("EINTR"));
        let timeline = Timeline {
            clock: Clock::Microseconds,
            columns: vec!["writer".into(), "reader".into()],
            rows: vec![
                row(12, 0, "write(1 = pipe A, 40)", None),
                TimelineRow {
                    after_gap: true,
                    ..read
                },
            ],
        };
        assert_eq!(
            timeline.to_string(),
            "        ms  writer                 reader\n     \
             0.012  write(1 = pipe A, 40)\n       \
             ...\n     \
             2.034                         read(0 = pipe A, 10) <- EINTR"
        );
    }

    #[test]
    fn a_schedule_is_counted_in_steps() {
        let timeline = Timeline {
            clock: Clock::Steps,
            columns: vec!["first".into(), "second".into()],
            rows: vec![
                row(41, 0, "about to store ring +0x40", Some("held")),
                row(42, 1, "load ring +0x40: 3", None),
            ],
        };
        assert_eq!(
            timeline.to_string(),
            "      step  first                              second\n        \
             41  about to store ring +0x40 <- held\n        \
             42                                     load ring +0x40: 3"
        );
        assert_eq!(timeline.clock.told(41), "step 41");
        assert_eq!(timeline.printable(), timeline);
    }
}
