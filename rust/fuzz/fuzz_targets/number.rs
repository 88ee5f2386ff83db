//! Numbers made of a fuzzer's bytes.

/// Reads numbers. Most are integers from -111 to 127, of one byte: inputs stay short, and numbers are often equal. After
/// one byte in 15, any number follows in four bytes.
pub(crate) fn numbers(bytes: &[u8]) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [byte, after @ ..] = rest {
        rest = after;
        let small = byte.cast_signed();
        match after.split_first_chunk() {
            Some((bytes, after)) if small < -111 => {
                numbers.push(f32::from_le_bytes(*bytes));
                rest = after;
            }
            _ => numbers.push(f32::from(small)),
        }
    }
    numbers
}

/// A threshold from 0 to 1. 1/2 and 1/3 are among them, so that an overlap can be equal to it.
pub(crate) fn threshold(byte: u8) -> f32 {
    (f32::from(byte) / 240.0).min(1.0)
}
