//! Replays the sessions of the handout, so that what a student is told to type works.

use std::path::Path;

#[test]
fn the_sessions_of_the_handout_print_what_it_says() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let program = Path::new(env!("CARGO_BIN_EXE_socket-echo-solution"));
    coach::transcript::replay(&readme, &[("socket-echo", program)]);
}
