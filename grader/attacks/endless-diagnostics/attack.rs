//! More words than anybody could keep.

macro_rules! complain {
    ($($word:tt)*) => { $( compile_error!(concat!("long ", stringify!($word), " @MARK@")); )* };
}

complain! {
//@ 100000 x 
}
