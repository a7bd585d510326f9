//! `results.json`: the gradebook as it is, for programs.

use model::Gradebook;

/// The gradebook as indented JSON with a final newline.
pub fn results_json(gradebook: &Gradebook) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(gradebook).expect("a gradebook is plain data");
    bytes.push(b'\n');
    bytes
}
