//! A macro that doubles its arguments 40 times.

macro_rules! double {
    ([$($done:tt)*]) => { pub const BOMB: &[u8] = &[$($done)*]; };
    ([$($done:tt)*] $_first:tt $($rest:tt)*) => { double!([$($done)* $($done)*] $($rest)*); };
}

double!([1,] a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a);
