//! What the messages hold: their number, so that a lost, doubled or reordered one is noticed in
//! every measurement, and on request bytes that all depend on it.

use std::io;

/// Writes message `number`: its first 8 bytes, or all of them.
pub(crate) fn write(message: &mut [u8], number: u64, every_byte: bool) {
    message[..8].copy_from_slice(&number.to_le_bytes());
    if every_byte {
        for (bytes, noise) in message[8..].chunks_mut(8).zip(noise(number)) {
            bytes.copy_from_slice(&noise[..bytes.len()]);
        }
    }
}

/// Checks that `message` is number `number`.
///
/// # Errors
/// `InvalidData` if it is another one, or its bytes have changed.
pub(crate) fn check(message: &[u8], number: u64, every_byte: bool) -> io::Result<()> {
    let stamp = message[..8] == number.to_le_bytes();
    let is_whole = || {
        let mut parts = message[8..].chunks(8).zip(noise(number));
        parts.all(|(bytes, noise)| *bytes == noise[..bytes.len()])
    };
    if stamp && (!every_byte || is_whole()) {
        return Ok(());
    }
    let what = format!("message {number} did not arrive as it was sent");
    Err(io::Error::new(io::ErrorKind::InvalidData, what))
}

/// Bytes that depend on `seed`, eight at a time, from Marsaglia's xorshift generator.
fn noise(seed: u64) -> impl Iterator<Item = [u8; 8]> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_changed_byte_or_another_number_is_noticed() {
        let mut message = vec![0; 100];
        write(&mut message, 7, true);
        assert!(check(&message, 7, true).is_ok());
        assert!(check(&message, 8, false).is_err());
        message[99] ^= 1;
        assert!(check(&message, 7, false).is_ok());
        assert!(check(&message, 7, true).is_err());
    }
}
