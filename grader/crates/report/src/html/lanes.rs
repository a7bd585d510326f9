//! A timeline as a picture: one lane a process, calls from top to bottom, in figures that the
//! page's script draws as SVG. It draws nothing itself and knows no HTML.

use model::Timeline;
use serde::Serialize;

/// A picture, in pixels.
#[derive(Serialize)]
pub(super) struct Lanes {
    width: usize,
    height: usize,
    lanes: Vec<Lane>,
    calls: Vec<Call>,
}

#[derive(Serialize)]
struct Lane {
    x: usize,
    name: String,
}

#[derive(Serialize)]
struct Call {
    x: usize,
    y: usize,
    time: String,
    text: String,
    effect: Option<String>,
    /// Where the line that stands for calls left out is, if there are any before this one.
    gap: Option<usize>,
}

/// From one lane to the next, from one call to the next, and around them.
const LANE: usize = 300;
const ROW: usize = 26;
const LEFT: usize = 90;
const TOP: usize = 56;

/// A longer text would run into the next lane.
const MOST_CHARACTERS: usize = 38;

impl Lanes {
    /// The picture of a timeline; `None` if there is nothing to see.
    pub(super) fn of(timeline: &Timeline) -> Option<Self> {
        if timeline.is_empty() {
            return None;
        }
        let x = |column: usize| LEFT + column * LANE;
        let mut y = TOP;
        let calls = timeline.rows.iter().map(|row| {
            let gap = row.after_gap.then_some(y);
            y += if row.after_gap { ROW } else { 0 };
            let call = Call {
                x: x(row.column),
                y,
                time: format!("{:.3} ms", row.at_us as f64 / 1000.0),
                text: short(&row.text),
                effect: row.effect.as_deref().map(short),
                gap,
            };
            // What was done to a call has a line of its own.
            y += if row.effect.is_some() { 2 * ROW } else { ROW };
            call
        });
        let calls = calls.collect();
        let lane = |(column, name): (usize, &String)| Lane {
            x: x(column),
            name: short(name),
        };
        Some(Self {
            width: x(timeline.columns.len()),
            height: y,
            lanes: timeline.columns.iter().enumerate().map(lane).collect(),
            calls,
        })
    }
}

fn short(text: &str) -> String {
    match text.chars().count() > MOST_CHARACTERS {
        true => text
            .chars()
            .take(MOST_CHARACTERS - 1)
            .chain(['…'])
            .collect(),
        false => text.to_owned(),
    }
}
