//! The same stream of messages from one process to another, over every mechanism of the course:
//! what is measured, what the figures mean, and how they are shown.
//!
//! | to do this | look in |
//! |---|---|
//! | know the mechanisms and the path that a byte takes in each | [`mechanism`] |
//! | read what one measurement said | [`sample`] |
//! | condense repeats into one row, honestly | [`report`] |
//! | show rows: a table, a plot, a page | [`table`], [`plot`], [`page`] |
//!
//! Everything here is a pure function from measurements to bytes. The measuring itself is done by
//! the programs made of `datapath`, which link the labs; nothing here does, or starts a process,
//! or touches a disk.

pub mod drawing;
pub mod mechanism;
pub mod page;
pub mod plot;
pub mod report;
pub mod sample;
pub mod size;
pub mod table;

pub use mechanism::Mechanism;
pub use report::{Report, Row, Spread};
pub use sample::{Cost, Sample, Workload};
pub use size::Size;
