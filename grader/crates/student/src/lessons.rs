//! Keeps what a lab's tests teach, so that a hint can be had while the lab does not compile.

use coach::record::Taught;

use crate::memory;
use crate::tree::Tree;

fn file(lab: &str) -> String {
    format!("lessons-{lab}.json")
}

/// Keeps the lessons of `lab`.
pub(crate) fn keep(tree: &Tree, lab: &str, lessons: &[Taught]) {
    let text = serde_json::to_vec(lessons).expect("lessons are plain data");
    memory::write(tree, &file(lab), &text);
}

/// The lessons that were kept last, if there are any.
pub(crate) fn kept(tree: &Tree, lab: &str) -> Option<Vec<Taught>> {
    serde_json::from_str(&memory::read(tree, &file(lab))?).ok()
}
