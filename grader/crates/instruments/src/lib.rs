//! What the kernel says of a running process, why a process tree does not move, and what it
//! does when system calls fail, fall short or come in an unlucky order, or accesses to shared
//! memory come in another one.
//!
//! Knows processes and kernel objects; knows no lab, no points and no student.

pub mod autopsy;
pub mod explore;
pub mod inject;
pub mod proc;

pub use autopsy::{Autopsy, explain};
pub use proc::{PidFd, Process};
