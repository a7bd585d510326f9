//! The explorer on real programs that share memory, right and wrong ones.

#![cfg(target_arch = "x86_64")]

mod campaign;
mod memory;
mod race;
mod schedules;
