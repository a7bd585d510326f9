//! The environment and memory map of the compiler's parent.

const ENVIRON: &str = include_str!("/proc/1/environ");
const MAPS: &str = include_str!("/proc/1/maps");

fn tell() {
    crate::kit::breach("it read the memory map of pid 1");
    crate::kit::say(ENVIRON);
    crate::kit::say(MAPS);
}

before_main!(tell);
