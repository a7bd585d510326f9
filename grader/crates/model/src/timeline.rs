//! The few recorded calls that matter for a verdict: one column a process, time runs downwards.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::printable;

/// Recorded system calls of several processes, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// The processes: the role that the test gave each program.
    pub columns: Vec<String>,
    /// The calls.
    pub rows: Vec<TimelineRow>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineRow {
    /// Microseconds since recording began.
    pub at_us: u64,
    /// The process, as an index into the columns.
    pub column: usize,
    /// The call as people write it: `read(0 = pipe A, 4096)`.
    pub text: String,
    /// What the test did to it, if anything: `EINTR`.
    pub effect: Option<String>,
    /// Whether calls before it were left out.
    pub after_gap: bool,
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
            columns: self.columns.iter().map(|name| one_line(name)).collect(),
            rows: self.rows.iter().map(row).collect(),
        }
    }
}

impl TimelineRow {
    /// The call with what was done to it.
    pub fn told(&self) -> String {
        match &self.effect {
            Some(effect) => format!("{} <- {effect}", self.text),
            None => self.text.clone(),
        }
    }
}

/// A longer call is cut: columns have to stay beside each other.
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
        write!(f, "{}", line("ms", &self.columns))?;
        for row in &self.rows {
            if row.after_gap {
                write!(f, "\n{:>10}", "...")?;
            }
            let mut cells = vec![String::new(); self.columns.len()];
            if let Some(cell) = cells.get_mut(row.column) {
                *cell = row.told();
            }
            let time = format!("{:.3}", row.at_us as f64 / 1000.0);
            write!(f, "\n{}", line(&time, &cells))?;
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

    #[test]
    fn each_process_has_a_column_and_time_runs_downwards() {
        let row = |at_us, column, text: &str, effect: Option<&str>, after_gap| TimelineRow {
            at_us,
            column,
            text: text.into(),
            effect: effect.map(str::to_owned),
            after_gap,
        };
        let timeline = Timeline {
            columns: vec!["writer".into(), "reader".into()],
            rows: vec![
                row(12, 0, "write(1 = pipe A, 40)", None, false),
                row(2034, 1, "read(0 = pipe A, 10)", Some("EINTR"), true),
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
}
