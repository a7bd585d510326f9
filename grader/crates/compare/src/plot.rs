//! Two plots as SVG: throughput and round trip by message size, both axes logarithmic. The image
//! needs nothing from outside and follows the reader's light or dark setting.

use std::fmt::Write as _;

use datapath::Mechanism;

use crate::{Report, Row, Spread};

const WIDTH: f64 = 720.0;
const PANEL: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 36.0;
const LEGEND: f64 = 64.0;

/// The colours of the series, and of everything else, for both settings.
const STYLE: &str = "\
svg { --paper: #ffffff; --ink: #1f2328; --quiet: #656d76; --grid: #d8dee4; \
--c0: #0b62c4; --c1: #4a9be8; --c2: #1a7f37; --c3: #6aa84f; --c4: #a3480c; --c5: #8250df; --c6: #cf222e; --c7: #d63a8f; }\
@media (prefers-color-scheme: dark) { svg { --paper: #16181d; --ink: #e6e8eb; --quiet: #9aa4af; --grid: #33383f; \
--c0: #6cb0ff; --c1: #a8d1ff; --c2: #56d364; --c3: #a6dd91; --c4: #f0a55c; --c5: #c29bff; --c6: #ff7b72; --c7: #ff9bd0; } }\
text { font: 13px system-ui, sans-serif; fill: var(--ink); } .quiet { fill: var(--quiet); } \
.title { font-weight: 600; font-size: 15px; } .grid { stroke: var(--grid); } \
.line { fill: none; stroke-width: 2; } .span { stroke-width: 1.5; opacity: .6; }";

/// One of the two plots.
struct Panel<'a> {
    title: &'a str,
    top: f64,
    figure: fn(&Row) -> &Spread,
}

/// The image.
#[must_use]
pub fn svg(report: &Report) -> String {
    let height = 2.0 * PANEL + LEGEND;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Throughput and round trip by message size\">\n<style>{STYLE}</style>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"var(--paper)\"/>\n"
    );
    let panels = [
        Panel {
            title: "Throughput, MiB/s (more is better)",
            top: 0.0,
            figure: |row| &row.mib_per_s,
        },
        Panel {
            title: "Round trip, µs (less is better)",
            top: PANEL,
            figure: |row| &row.round_trip_us,
        },
    ];
    for panel in &panels {
        panel.draw(report, &mut svg);
    }
    legend(report, 2.0 * PANEL, &mut svg);
    svg.push_str("</svg>\n");
    svg
}

/// The colour and dashes of a mechanism: alike where the mechanisms are.
pub(crate) fn stroke(mechanism: Mechanism) -> String {
    let index = Mechanism::ALL.iter().position(|known| *known == mechanism);
    let index = index.unwrap_or(0);
    let dashes = [
        "none", "6 4", "none", "6 4", "2 3", "8 3 2 3", "none", "6 4",
    ][index];
    format!("stroke=\"var(--c{index})\" stroke-dasharray=\"{dashes}\"")
}

/// Decades that hold all of `values`, at least one.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.filter(|value| *value > 0.0) {
        low = low.min(value.log10().floor());
        high = high.max(value.log10().ceil());
    }
    if low.is_finite() && high > low {
        (low, high)
    } else if low.is_finite() {
        (low, low + 1.0)
    } else {
        (0.0, 1.0)
    }
}

impl Panel<'_> {
    fn draw(&self, report: &Report, svg: &mut String) {
        let spreads = || report.rows.iter().map(self.figure);
        let (low, high) = decades(spreads().flat_map(|spread| [spread.low, spread.high]));
        let sizes = report.sizes();
        let log = |bytes: usize| (bytes as f64).log2();
        let first = sizes.first().map_or(0.0, |size| log(size.bytes()));
        let last = sizes.last().map_or(1.0, |size| log(size.bytes()));
        let x = |bytes: usize| match last > first {
            true => {
                LEFT + (log(bytes) - first) / (last - first) * (WIDTH - LEFT - RIGHT - 16.0) + 8.0
            }
            false => f64::midpoint(LEFT, WIDTH - RIGHT),
        };
        let bottom = self.top + PANEL - BOTTOM;
        let y = |value: f64| {
            let share = (value.max(f64::MIN_POSITIVE).log10() - low) / (high - low);
            bottom - share.clamp(0.0, 1.0) * (PANEL - TOP - BOTTOM)
        };
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            svg,
            "<text class=\"title\" x=\"8\" y=\"{}\">{}</text>",
            self.top + 20.0,
            self.title
        );
        for decade in low as i32..=high as i32 {
            let value = 10f64.powi(decade);
            let label = if decade < 0 {
                format!("{value:.*}", decade.unsigned_abs() as usize)
            } else {
                format!("{value:.0}")
            };
            let at = y(value);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text \
                 class=\"quiet\" text-anchor=\"end\" x=\"{}\" y=\"{:.1}\">{label}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                at + 4.0
            );
        }
        for size in &sizes {
            let _ = writeln!(
                svg,
                "<text class=\"quiet\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{size}</text>",
                x(size.bytes()).clamp(LEFT, WIDTH - 28.0),
                bottom + 20.0
            );
        }
        for mechanism in report.mechanisms() {
            self.series(report, mechanism, &x, &y, svg);
        }
    }

    fn series(
        &self,
        report: &Report,
        mechanism: Mechanism,
        x: &dyn Fn(usize) -> f64,
        y: &dyn Fn(f64) -> f64,
        svg: &mut String,
    ) {
        let stroke = stroke(mechanism);
        let rows = report.rows.iter().filter(|row| row.mechanism == mechanism);
        let mut points: Vec<_> = rows.map(|row| (row.size, (self.figure)(row))).collect();
        points.sort_by_key(|(size, _)| *size);
        let line: Vec<String> = points
            .iter()
            .map(|(size, spread)| format!("{:.1},{:.1}", x(size.bytes()), y(spread.median)))
            .collect();
        let _ = writeln!(
            svg,
            "<g {stroke}><title>{}</title><polyline class=\"line\" points=\"{}\"/>",
            mechanism.title(),
            line.join(" ")
        );
        for (size, spread) in points {
            let at = x(size.bytes());
            let _ = writeln!(
                svg,
                "<line class=\"span\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" \
                 stroke-dasharray=\"none\"/><circle cx=\"{at:.1}\" cy=\"{:.1}\" r=\"3\" \
                 fill=\"var(--paper)\" stroke-dasharray=\"none\" stroke-width=\"2\"/>",
                y(spread.low),
                y(spread.high),
                y(spread.median)
            );
        }
        svg.push_str("</g>\n");
    }
}

fn legend(report: &Report, top: f64, svg: &mut String) {
    const COLUMNS: usize = 4;
    for (index, mechanism) in report.mechanisms().into_iter().enumerate() {
        let x = 8.0 + (index % COLUMNS) as f64 * 178.0;
        let y = top + 16.0 + (index / COLUMNS) as f64 * 24.0;
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" {} stroke-width=\"2\"/><text \
             x=\"{}\" y=\"{}\">{}</text>",
            x + 24.0,
            stroke(mechanism),
            x + 30.0,
            y + 4.0,
            mechanism.id()
        );
    }
}
