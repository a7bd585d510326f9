//! What the kernel says of a running process, and why a process tree does not move.
//!
//! Knows processes and kernel objects; knows no lab, no points and no student.

pub mod autopsy;
pub mod proc;

pub use autopsy::{Autopsy, explain};
pub use proc::{PidFd, Process};
