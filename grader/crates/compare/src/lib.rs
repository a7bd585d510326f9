//! The same stream of messages from one process to another, over every mechanism of the course:
//! what the figures mean, and how they are shown.
//!
//! | to do this | look in |
//! |---|---|
//! | condense repeats into one row, honestly | [`report`] |
//! | show rows: a table, a plot, a page | [`table`], [`plot`], [`page`] |
//! | draw the path that a byte takes | [`drawing`] |
//!
//! Everything here is a pure function from measurements to bytes. The measuring itself is done by
//! the programs made of `datapath`, whose words for it are used here; nothing here starts a process
//! or touches a disk.

pub mod drawing;
pub mod page;
pub mod plot;
pub mod report;
pub mod table;

pub use report::{Report, Row, Spread};
