//! A constant that is never computed.

#![allow(long_running_const_eval)]

pub const NEVER: u64 = {
    let mut number = 0u64;
    while number < u64::MAX {
        number = number.wrapping_mul(3);
    }
    number
};
