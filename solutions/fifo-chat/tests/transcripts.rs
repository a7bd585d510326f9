//! Replays the handout's sessions with this solution's program: what a student is told to type
//! works and prints what the handout says.

use std::path::Path;

#[test]
fn the_sessions_of_the_handout_print_what_it_says() {
    let readme = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let program = Path::new(env!("CARGO_BIN_EXE_fifo-chat-solution"));
    let counts = coach::transcript::replay(readme, &[("fifo-chat", program)]);
    assert!(counts.replayed > 0, "a handout without a session");
}
