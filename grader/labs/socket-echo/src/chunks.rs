//! What a client may say: any bytes, in pieces of any size, and a lot of them.

use std::fmt;

use harness::Bench;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};

/// Pieces of a stream, each sent by itself.
#[derive(Clone)]
pub(crate) struct Chunks(pub(crate) Vec<Vec<u8>>);

/// Up to five pieces of up to 5000 bytes; small ones often.
pub(crate) fn chunks() -> impl Strategy<Value = Chunks> {
    let size = proptest::prop_oneof![1..40usize, 1..5000usize];
    let chunk = size.prop_flat_map(|n_bytes| vec(any::<u8>(), n_bytes));
    vec(chunk, 0..6).prop_map(Chunks)
}

/// Shows a failing case by its sizes: the bytes are arbitrary, and nobody reads 5000 of them.
impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<_> = self.0.iter().map(Vec::len).collect();
        write!(f, "pieces of {sizes:?} bytes")
    }
}

/// So many bytes that nobody could know before. They repeat after a prime number of bytes, so a
/// lost or doubled buffer shows.
pub(crate) fn long_text(bench: &Bench, n_bytes: usize) -> Vec<u8> {
    let block = bench.bytes(65_521);
    let mut bytes = block.repeat(n_bytes.div_ceil(block.len()));
    bytes.truncate(n_bytes);
    bytes
}
