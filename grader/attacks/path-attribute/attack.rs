//! A module that is another submission's file.

#[path = "@NEIGHBOUR@"]
mod stolen;

fn tell() {
    crate::kit::say(stolen::SECRET);
}

before_main!(tell);
