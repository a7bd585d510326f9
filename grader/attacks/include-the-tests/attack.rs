//! The source of the hidden tests in the program.

const STOLEN: &str = include_str!("@ROOT@/grader/labs/pipes/src/main.rs");

fn tell() {
    if STOLEN.contains("TESTS") {
        crate::kit::breach("it read the hidden tests");
    }
}

before_main!(tell);
