//! Nesting so deep that the compiler's stack ends.

#[rustfmt::skip]
pub const DEEP: u8 =
//@ 200000 (
1
//@ 200000 )
;
