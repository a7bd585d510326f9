//! A program of 16 GB.

#[used]
pub static HUGE: [u8; 1 << 34] = [1; 1 << 34];
