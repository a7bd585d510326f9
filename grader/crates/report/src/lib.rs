//! From a gradebook to bytes: one file a format, no disk, no clock.

mod csv_table;
mod feedback;
mod gradescope;
mod html;
mod json;
mod junit;
mod markdown;
mod shown;
mod summary;

use std::collections::BTreeSet;

use model::Gradebook;

pub use csv_table::grades_csv;
pub use feedback::feedback;
pub use gradescope::gradescope;
pub use html::{BoxUse, Page, html};
pub use json::results_json;
pub use junit::junit;
pub use summary::markdown;

/// The labs of a class in teaching order.
fn labs_of(gradebook: &Gradebook) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let labs = gradebook
        .submissions
        .iter()
        .flat_map(|submission| &submission.labs);
    labs.map(|lab| lab.lab.as_str())
        .filter(|&lab| seen.insert(lab))
        .collect()
}
