//! A timeline as a picture: one lane a process, calls or accesses from top to bottom, in figures
//! that the page's script draws as SVG. It draws nothing itself and knows no HTML.

use model::{Clock, Timeline};
use serde::Serialize;

/// A picture, in pixels.
#[derive(Serialize)]
pub(super) struct Lanes {
    /// What is to be seen, for those who cannot see it.
    label: String,
    width: usize,
    height: usize,
    lanes: Vec<Lane>,
    events: Vec<Event>,
}

#[derive(Serialize)]
struct Lane {
    x: usize,
    name: String,
}

#[derive(Serialize)]
struct Event {
    x: usize,
    y: usize,
    time: String,
    text: String,
    effect: Option<String>,
    /// Where the line that stands for what was left out is, if there is any before this one.
    gap: Option<usize>,
}

/// From one lane to the next, from one event to the next, and around them.
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
        let events = timeline.rows.iter().map(|row| {
            let gap = row.after_gap.then_some(y);
            y += if row.after_gap { ROW } else { 0 };
            let event = Event {
                x: x(row.column),
                y,
                time: timeline.clock.told(row.at),
                text: short(&row.text),
                effect: row.effect.as_deref().map(short),
                gap,
            };
            // What was done there has a line of its own.
            y += if row.effect.is_some() { 2 * ROW } else { ROW };
            event
        });
        let events = events.collect();
        let lane = |(column, name): (usize, &String)| Lane {
            x: x(column),
            name: short(name),
        };
        let what = match timeline.clock {
            Clock::Microseconds => "recorded system calls",
            Clock::Steps => "accesses to shared memory under one schedule",
        };
        Some(Self {
            label: format!("{what}, one lane a process, time runs downwards"),
            width: x(timeline.columns.len()),
            height: y,
            lanes: timeline.columns.iter().enumerate().map(lane).collect(),
            events,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the page's script is given of a timeline, read from evidence.
    fn drawn(timeline: &str) -> serde_json::Value {
        let timeline: Timeline = serde_json::from_str(timeline).expect("a timeline");
        serde_json::json!(Lanes::of(&timeline).expect("it is not empty"))
    }

    #[test]
    fn a_schedule_is_drawn_in_steps() {
        let picture = drawn(
            r#"{"clock": "steps", "columns": ["first", "second"], "rows": [
                {"at": 7, "column": 0, "text": "about to store ring +0x40", "effect": "held",
                 "after_gap": true},
                {"at": 8, "column": 1, "text": "load ring +0x40: 3", "effect": null,
                 "after_gap": false}]}"#,
        );
        let label = picture["label"].as_str().expect("a text");
        assert!(label.starts_with("accesses to shared memory"), "{label}");
        let [held, load] = [0, 1].map(|event: usize| &picture["events"][event]);
        assert_eq!([&held["time"], &load["time"]], ["step 7", "step 8"]);
        assert_eq!(held["effect"], "held");
        let lanes = [0, 1].map(|lane: usize| &picture["lanes"][lane]["x"]);
        assert_eq!([&held["x"], &load["x"]], lanes);
    }

    #[test]
    fn evidence_from_before_there_were_schedules_is_drawn_in_time() {
        let picture = drawn(
            r#"{"columns": ["echo"], "rows": [
                {"at_us": 2034, "column": 0, "text": "recv(5)", "effect": null,
                 "after_gap": false}]}"#,
        );
        assert_eq!(picture["events"][0]["time"], "2.034 ms");
        let label = picture["label"].as_str().expect("a text");
        assert!(label.starts_with("recorded system calls"), "{label}");
    }
}
