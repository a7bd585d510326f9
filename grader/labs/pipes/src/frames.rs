//! The wire format of a record, as the handout states it: the tests' own copy.

use std::io::Read;

/// The longest record.
pub(crate) const MAX_RECORD: usize = libc::PIPE_BUF - 4;

/// `record` with its header.
pub(crate) fn frame(record: &[u8]) -> Vec<u8> {
    let length = u32::try_from(record.len()).expect("tests use short records");
    [&length.to_le_bytes(), record].concat()
}

/// The records in `bytes`; nothing if they are not frames from the first byte to the last.
pub(crate) fn split(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let mut header = [0; 4];
        bytes.read_exact(&mut header).ok()?;
        let record = bytes.split_off(..u32::from_le_bytes(header) as usize)?;
        records.push(record.to_vec());
    }
    Some(records)
}
