//! One self-contained page: the plot, the figures, and the path drawn for each mechanism. Nothing
//! comes from the network, and the template escapes whatever it is given.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use serde::Serialize;

use crate::table::{calls, short, with_spread};
use crate::{Report, Row, drawing, plot};

const TEMPLATE: &str = include_str!("page.html.jinja");
const STYLE: &str = include_str!("page.css");

/// A row as the page shows it.
#[derive(Serialize)]
struct Line {
    mechanism: &'static str,
    mib_per_s: String,
    round_trip: String,
    calls: String,
    copies: String,
    switches: String,
    cpu: String,
    system: String,
}

impl Line {
    fn of(row: &Row) -> Self {
        Self {
            mechanism: row.mechanism.title(),
            mib_per_s: with_spread(&row.mib_per_s),
            round_trip: with_spread(&row.round_trip_us),
            calls: calls(row),
            copies: format!("{:.2}", row.kernel_copies.median),
            switches: short(row.switches_per_mib.median),
            cpu: short(row.cpu_us_per_mib.median),
            system: format!("{:.0} %", row.system_share.median * 100.0),
        }
    }
}

/// The rows of one size.
#[derive(Serialize)]
struct Group {
    size: String,
    lines: Vec<Line>,
}

/// One mechanism with its drawing and its words.
#[derive(Serialize)]
struct Card {
    id: &'static str,
    title: &'static str,
    /// Made by this crate from its own words.
    drawing: String,
    send: &'static str,
    receive: &'static str,
    sender_waits: &'static str,
    receiver_waits: &'static str,
    lesson: &'static str,
}

/// A plain loop beside a lab's functions.
#[derive(Serialize)]
struct Floor {
    mechanism: &'static str,
    size: String,
    plain: String,
    time: String,
    cpu: String,
}

/// The page.
///
/// # Panics
/// Never: the template is part of this crate, and tested.
#[must_use]
pub fn html(report: &Report) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let page = environment
        .template_from_named_str("page.html", TEMPLATE)
        .and_then(|template| {
            template.render(context! {
                style => Value::from_safe_string(STYLE.to_owned()),
                plot => Value::from_safe_string(plot::svg(report)),
                machine => Value::from(Serde(&report.machine)),
                repeats => report.repeats,
                groups => Value::from(Serde(groups(report))),
                cards => Value::from(Serde(cards(report))),
                floor => Value::from(Serde(floor(report))),
                missing => Value::from(Serde(&report.missing)),
            })
        });
    page.expect("the template is part of this crate and tested")
}

fn groups(report: &Report) -> Vec<Group> {
    let of_size = |size| {
        let rows = report.rows.iter().filter(move |row| row.size == size);
        rows.map(Line::of).collect()
    };
    let sizes = report.sizes().into_iter();
    sizes
        .map(|size| Group {
            size: size.to_string(),
            lines: of_size(size),
        })
        .collect()
}

fn cards(report: &Report) -> Vec<Card> {
    let mechanisms = report.mechanisms().into_iter();
    mechanisms
        .map(|mechanism| {
            let path = mechanism.path();
            Card {
                id: mechanism.id(),
                title: mechanism.title(),
                drawing: drawing::svg(mechanism),
                send: path.send,
                receive: path.receive,
                sender_waits: path.sender_waits,
                receiver_waits: path.receiver_waits,
                lesson: path.lesson,
            }
        })
        .collect()
}

fn floor(report: &Report) -> Vec<Floor> {
    let ratios = report.ratios();
    ratios
        .map(|ratio| Floor {
            mechanism: ratio.floor.mechanism.title(),
            size: ratio.floor.size.to_string(),
            plain: with_spread(&ratio.floor.mib_per_s),
            time: format!("{:.2}", ratio.time),
            cpu: format!("{:.2}", ratio.cpu),
        })
        .collect()
}
