//! From marks to files: one file a format, no disk, no clock. What is about a class is written one
//! submission after the other; what is about one submission is made as a whole.

mod csv_table;
mod document;
mod feedback;
mod gradescope;
mod html;
mod json;
mod junit;
mod markdown;
mod shown;
mod summary;

pub use csv_table::grades_csv;
pub use document::{Class, Document, Entry};
pub use feedback::feedback;
pub use gradescope::gradescope;
pub use html::{BoxUse, html};
pub use json::results_json;
pub use junit::junit;
pub use summary::markdown;
