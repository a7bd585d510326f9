//! Rows as a table of text: for the terminal, and one line at a time for progress.

use std::fmt::Write as _;

use crate::report::Ratio;
use crate::{Report, Row, Spread};

/// The notes that belong under every table: what the figures leave out.
pub const NOTES: &str = "\
Figures are medians; ± is half the distance between the lowest and the highest repeat.
calls: system calls of both processes a message. /proc/PID/io counts those of read(2) and
write(2), the loop itself counts mq_send, mq_receive and sched_yield. futex(2), which semaphores
call to sleep and to wake, is counted in one more run, where each such call takes a little
longer; where that is not permitted, its name stands in place of the figure.
copies: how often a byte was copied between a process and the kernel.
";

/// All rows, a group for each size, with [`NOTES`] below.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    for size in report.sizes() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "messages of {size}");
        let _ = writeln!(
            text,
            "  {:<15} {:>14}  {:>16}  {:>7}  {:>6}  {:>8}  {:>10}",
            "", "MiB/s", "round trip µs", "calls", "copies", "switches", "CPU µs/MiB"
        );
        for row in report.rows.iter().filter(|row| row.size == size) {
            let _ = writeln!(text, "  {}", line(row));
        }
        text.push('\n');
    }
    if !report.floor.is_empty() {
        let _ = writeln!(text, "plain loops beside the labs' functions");
        for Ratio { floor, time, cpu } in report.ratios() {
            let _ = writeln!(
                text,
                "  {:<15} {:>8}  {:>14} MiB/s; the lab's: {time:.2} times the time, {cpu:.2} the CPU",
                floor.mechanism,
                floor.size.to_string(),
                with_spread(&floor.mib_per_s)
            );
        }
        text.push('\n');
    }
    for missing in &report.missing {
        let _ = writeln!(
            text,
            "not measured: {} with {}: {}",
            missing.mechanism, missing.size, missing.why
        );
    }
    text.push_str(NOTES);
    text
}

/// One row in a line.
#[must_use]
pub fn line(row: &Row) -> String {
    format!(
        "{:<15} {:>14}  {:>16}  {:>7}  {:>6.2}  {:>8}  {:>10}",
        row.mechanism,
        with_spread(&row.mib_per_s),
        with_spread(&row.round_trip_us),
        calls(row),
        row.kernel_copies.median,
        short(row.switches_per_mib.median),
        short(row.cpu_us_per_mib.median),
    )
}

/// The calls of a message. Zero would be untrue where nobody could count what is called.
pub(crate) fn calls(row: &Row) -> String {
    match (row.mechanism.calls_futex(), row.futex_per_message) {
        (true, None) => "futex".to_owned(),
        (_, futex) => short(row.calls_per_message.median + futex.unwrap_or(0.0)),
    }
}

/// A median with half the distance of its ends.
pub(crate) fn with_spread(spread: &Spread) -> String {
    let share = spread.width() * 50.0;
    format!("{} ±{share:.0}%", short(spread.median))
}

/// A number with about three digits that mean something.
pub(crate) fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v < 0.1 => format!("{v:.3}"),
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}
