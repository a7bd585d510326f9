//! Replays the transcripts of the handout with this solution's program. Not published: students
//! replay them by hand.

use std::path::Path;

#[test]
fn the_handout_tells_what_really_happens() {
    let readme = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let program = Path::new(env!("CARGO_BIN_EXE_shm-solution"));
    let counts = coach::transcript::replay(readme, &[("shm", program)]);
    assert!(counts.replayed > 0, "a handout without transcripts");
}
