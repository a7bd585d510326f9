//! Digests: what was graded, and with what. Same digests, same verdict.

use std::collections::BTreeMap;

/// Adds up named pieces of bytes; order and boundaries count.
#[derive(Default)]
pub(crate) struct Digest(blake3::Hasher);

impl Digest {
    pub(crate) fn add(&mut self, name: &str, bytes: &[u8]) -> &mut Self {
        for part in [name.as_bytes(), bytes] {
            self.0.update(&(part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
        self
    }

    pub(crate) fn finish(&self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}

/// The digest of a tree of files.
pub(crate) fn of_tree(tree: &BTreeMap<String, Vec<u8>>) -> String {
    let mut digest = Digest::default();
    for (path, bytes) in tree {
        digest.add(path, bytes);
    }
    digest.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_byte_from_one_file_to_the_next_changes_the_digest() {
        let tree = |a: &str, b: &str| {
            of_tree(
                &[("a".into(), a.into()), ("b".into(), b.into())]
                    .into_iter()
                    .collect(),
            )
        };
        assert_ne!(tree("xy", "z"), tree("x", "yz"));
        assert_eq!(tree("xy", "z"), tree("xy", "z"));
    }
}
