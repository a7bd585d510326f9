//! A file without an end that does not compress.

pub const NEVER_ENDS: &[u8] = include_bytes!("/dev/urandom");
