//! The figures of a benchmark: as a table for people, as JSON for programs.

use serde_json::json;

use crate::show::{self, BAD, GOOD, STRONG, styled};

/// One figure.
#[derive(Debug)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) what: String,
    /// The figure.
    pub(crate) value: f64,
    /// What it is counted in; empty for a ratio.
    pub(crate) unit: &'static str,
    /// What it should be.
    pub(crate) goal: Option<Goal>,
    /// How it was measured.
    pub(crate) note: String,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

/// All figures.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Figure>);

impl Table {
    /// Adds a ratio.
    pub(crate) fn ratio(&mut self, what: &str, value: f64, goal: Option<Goal>, note: String) {
        self.add(what, value, "", goal, note);
    }

    /// Adds a figure with a unit.
    pub(crate) fn add(
        &mut self,
        what: &str,
        value: f64,
        unit: &'static str,
        goal: Option<Goal>,
        note: String,
    ) {
        let figure = Figure {
            what: what.to_owned(),
            value,
            unit,
            goal,
            note,
        };
        show::status(format_args!("  {}", figure.line()));
        self.0.push(figure);
    }

    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            let figures: Vec<_> = self.0.iter().map(Figure::json).collect();
            show::line(json!({"version": 1, "figures": figures}));
            return;
        }
        show::line("");
        for figure in &self.0 {
            show::line(figure.line());
        }
    }
}

impl Figure {
    fn line(&self) -> String {
        let goal = match (self.goal, self.is_reached()) {
            (None, _) => String::new(),
            (Some(goal), true) => styled(GOOD, format_args!("goal {} reached", goal.text())),
            (Some(goal), false) => styled(BAD, format_args!("goal {} missed", goal.text())),
        };
        let value = match self.value < 0.1 {
            true => format!("{:.5}", self.value),
            false => format!("{:.3}", self.value),
        };
        format!(
            "{:<58} {} {:<6} {goal:<24} {}",
            self.what,
            styled(STRONG, format_args!("{value:>10}")),
            self.unit,
            self.note
        )
    }

    fn is_reached(&self) -> bool {
        match self.goal {
            None => true,
            Some(Goal::AtMost(most)) => self.value <= most,
            Some(Goal::AtLeast(least)) => self.value >= least,
        }
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "goal": self.goal.map(Goal::text),
            "reached": self.goal.map(|_| self.is_reached()),
            "note": self.note,
        })
    }
}

impl Goal {
    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {most}"),
            Self::AtLeast(least) => format!("≥ {least}"),
        }
    }
}

/// The one in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_reached_or_missed_by_its_own_side() {
        let figure = |goal| Figure {
            what: "x".into(),
            value: 1.0,
            unit: "",
            goal: Some(goal),
            note: String::new(),
        };
        assert!(figure(Goal::AtMost(1.0)).is_reached());
        assert!(!figure(Goal::AtMost(0.9)).is_reached());
        assert!(figure(Goal::AtLeast(0.9)).is_reached());
        assert!(!figure(Goal::AtLeast(1.1)).is_reached());
        assert_eq!(figure(Goal::AtMost(2.0)).json()["reached"], true);
    }

    #[test]
    fn the_median_is_no_outlier() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
    }
}
