//! The reference solution as a module.

#[path = "@ROOT@/solutions/pipes/src/lib.rs"]
mod solution;

fn tell() {
    crate::kit::breach("it compiled the reference solution in");
}

before_main!(tell);
