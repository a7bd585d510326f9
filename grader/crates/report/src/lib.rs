//! From a gradebook to bytes: one file a format, no disk, no clock.

mod csv_table;
mod feedback;
mod html;
mod json;
mod lanes;

pub use csv_table::grades_csv;
pub use feedback::feedback;
pub use html::html;
pub use json::results_json;
