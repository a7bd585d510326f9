//! A file without an end.

pub const NEVER_ENDS: &[u8] = include_bytes!("/dev/zero");
