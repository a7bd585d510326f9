//! Totals over several labs: exact hundredths of a point, so that no report rounds differently.

use std::fmt;
use std::iter::Sum;

use serde::{Serialize, Serializer};

/// Points of a whole submission, exact to a hundredth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Points(u64);

impl Points {
    /// So many whole points.
    pub fn whole(points: u32) -> Self {
        Self(u64::from(points) * 100)
    }

    /// The share `score / max_score` of `weight` points, rounded to the nearest hundredth.
    pub fn share(weight: u32, score: u32, max_score: u32) -> Self {
        let hundredths = Self::whole(weight).0 * u64::from(score);
        let max_score = u64::from(max_score);
        Self(
            (hundredths + max_score / 2)
                .checked_div(max_score)
                .unwrap_or(0),
        )
    }

    /// Hundredths of a point.
    pub fn hundredths(self) -> u64 {
        self.0
    }
}

impl Sum for Points {
    fn sum<I: Iterator<Item = Self>>(points: I) -> Self {
        Self(points.map(|points| points.0).sum())
    }
}

impl fmt::Display for Points {
    /// `12`, `12.5` or `12.25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        f.pad(&match (rest, rest % 10) {
            (0, _) => whole.to_string(),
            (_, 0) => format!("{whole}.{}", rest / 10),
            _ => format!("{whole}.{rest:02}"),
        })
    }
}

impl Serialize for Points {
    /// A number: whole points without a decimal point.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 % 100 {
            0 => serializer.serialize_u64(self.0 / 100),
            _ => serializer.serialize_f64(self.0 as f64 / 100.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_shown_with_as_many_decimals_as_they_have() {
        let shown = |hundredths| Points(hundredths).to_string();
        assert_eq!([1200, 1250, 1205].map(shown), ["12", "12.5", "12.05"]);
    }

    #[test]
    fn a_share_is_rounded_to_the_nearest_hundredth() {
        assert_eq!(Points::share(20, 1, 3).to_string(), "6.67");
        assert_eq!(Points::share(20, 3, 3).to_string(), "20");
        assert_eq!(Points::share(20, 0, 0).to_string(), "0");
    }
}
