//! Repeats condensed: the median of each figure and how far apart the repeats were.

use datapath::{Cost, Mechanism, Sample, Size};
use serde::{Deserialize, Serialize};

/// Everything that one comparison found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Of this format.
    pub version: u32,
    /// What the figures were measured on.
    pub machine: Machine,
    /// Measurements behind each row.
    pub repeats: usize,
    /// One for each mechanism and size that could be measured.
    pub rows: Vec<Row>,
    /// The same with plain loops, where they were asked for.
    pub floor: Vec<Row>,
    /// What could not be measured, and why.
    pub missing: Vec<Missing>,
}

/// What figures were measured on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The kernel's release.
    pub kernel: String,
    /// Processors that the measuring processes may use.
    pub cores: usize,
    /// Processes that wanted to run, averaged over the minute before the start: much more than
    /// nothing means that others were measured, too.
    pub load: f64,
}

/// A mechanism that could not be measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Missing {
    /// Which.
    pub mechanism: Mechanism,
    /// With which size.
    pub size: Size,
    /// What it said.
    pub why: String,
}

/// The middle of some repeats, and their ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Half of the repeats were below this.
    pub median: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

impl Spread {
    /// Of `values`; all zero for none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let middle = match values.len() {
            0 => 0.0,
            n if n % 2 == 1 => values[n / 2],
            n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
        };
        Self {
            median: middle,
            low: values.first().copied().unwrap_or(0.0),
            high: values.last().copied().unwrap_or(0.0),
        }
    }

    /// How far apart the repeats were, as a share of the median.
    #[must_use]
    pub fn width(&self) -> f64 {
        if self.median > 0.0 {
            (self.high - self.low) / self.median
        } else {
            0.0
        }
    }
}

/// One mechanism with one size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    pub mechanism: Mechanism,
    /// Length of a message.
    pub size: Size,
    /// Messages of one stream.
    pub messages: u64,
    /// MiB a second.
    pub mib_per_s: Spread,
    /// One message there and one back, in microseconds.
    pub round_trip_us: Spread,
    /// System calls of both processes for a message, without those of futex(2).
    pub calls_per_message: Spread,
    /// Calls of futex(2) of both processes for a message, counted in a measurement of its own;
    /// `None` where there are none, or where counting is not permitted.
    pub futex_per_message: Option<f64>,
    /// Times that a byte was copied into or out of the kernel.
    pub kernel_copies: Spread,
    /// Context switches of both processes for a MiB.
    pub switches_per_mib: Spread,
    /// Processor time of both processes for a MiB, in microseconds.
    pub cpu_us_per_mib: Spread,
    /// The share of that time spent in the kernel.
    pub system_share: Spread,
}

impl Row {
    /// The same with the calls of futex(2) that `counted` says, which was not measured for its time.
    #[must_use]
    pub fn with_futex(mut self, counted: Option<&Sample>) -> Self {
        self.futex_per_message = counted.map(|sample| {
            let calls = sample.sender.futex_calls + sample.receiver.futex_calls;
            calls as f64 / sample.messages as f64
        });
        self
    }

    /// The repeats `samples` of one measurement; `None` if there are none.
    #[must_use]
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let first = samples.first()?;
        let spread = |figure: &dyn Fn(&Sample) -> f64| Spread::of(samples.iter().map(figure));
        let both = |sample: &Sample, part: fn(&Cost) -> u64| {
            (part(&sample.sender) + part(&sample.receiver)) as f64
        };
        let mib = |sample: &Sample| sample.bytes() as f64 / f64::from(1 << 20);
        Some(Self {
            mechanism: first.mechanism,
            size: first.size,
            messages: first.messages,
            mib_per_s: spread(&|s| mib(s) / (s.stream_ns.max(1) as f64 / 1e9)),
            round_trip_us: spread(&|s| s.round_trip_ns as f64 / 1e3),
            calls_per_message: spread(&|s| both(s, Cost::calls) / s.messages as f64),
            futex_per_message: None,
            kernel_copies: spread(&|s| both(s, Cost::kernel_bytes) / s.bytes() as f64),
            switches_per_mib: spread(&|s| both(s, Cost::switches) / mib(s)),
            cpu_us_per_mib: spread(&|s| both(s, Cost::cpu_us) / mib(s)),
            system_share: spread(&|s| {
                both(s, |cost| cost.system_us) / both(s, Cost::cpu_us).max(1.0)
            }),
        })
    }
}

impl Report {
    /// The version of this format.
    pub const VERSION: u32 = 2;

    /// As JSON, with a line end.
    #[must_use]
    pub fn json(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(self).expect("numbers and strings are always JSON");
        bytes.push(b'\n');
        bytes
    }

    /// The sizes that were measured, in order.
    #[must_use]
    pub fn sizes(&self) -> Vec<Size> {
        let mut sizes: Vec<Size> = self.rows.iter().map(|row| row.size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    /// The mechanisms that were measured, in the order of the course.
    #[must_use]
    pub fn mechanisms(&self) -> Vec<Mechanism> {
        let measured =
            |mechanism: &Mechanism| self.rows.iter().any(|row| row.mechanism == *mechanism);
        Mechanism::ALL.into_iter().filter(measured).collect()
    }

    /// The row of one mechanism and size.
    #[must_use]
    pub fn row(&self, mechanism: Mechanism, size: Size) -> Option<&Row> {
        let is_it = |row: &&Row| row.mechanism == mechanism && row.size == size;
        self.rows.iter().find(is_it)
    }

    /// The lab's functions against the plain loop beside them, for each row of the floor.
    pub fn ratios(&self) -> impl Iterator<Item = Ratio<'_>> {
        self.floor.iter().filter_map(|floor| {
            let row = self.row(floor.mechanism, floor.size)?;
            Some(Ratio {
                floor,
                time: floor.mib_per_s.median / row.mib_per_s.median,
                cpu: row.cpu_us_per_mib.median / floor.cpu_us_per_mib.median,
            })
        })
    }
}

/// How many times as much the lab's functions took as a plain loop, by the medians.
#[derive(Clone, Copy, Debug)]
pub struct Ratio<'a> {
    /// The plain loop.
    pub floor: &'a Row,
    /// Of the time.
    pub time: f64,
    /// Of the processor time of both processes, which hardly depends on what else is running.
    pub cpu: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_follow_one_wild_repeat() {
        let spread = Spread::of([3.0, 1000.0, 1.0]);
        assert_eq!((spread.median, spread.low, spread.high), (3.0, 1.0, 1000.0));
        assert_eq!(Spread::of([1.0, 3.0]).median, 2.0);
        assert_eq!(Spread::of([]).width(), 0.0);
    }
}
