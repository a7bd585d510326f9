//! A run that ends too early: killed, stopped, or cut off at random moments. Nothing graded is
//! lost, nothing is left running, and the same command goes on where it stopped.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod desk;
mod killed;
mod random;
mod stopped;
