//! A growable byte buffer that avoids a second copy of a large body.

/// Size in bytes up to which the buffer grows by plain doubling. Doubling a larger buffer would
/// reserve up to twice the needed capacity. During the reallocation, two copies of the bytes would
/// be in memory.
const SMALL_BYTES: usize = 16 << 20;

/// A byte buffer for appending.
///
/// A large buffer reserves its expected maximum at once. Reserved memory that was never written
/// takes up no physical memory, and unused capacity is returned at the end.
#[derive(Debug)]
pub(super) struct Growing {
    bytes: Vec<u8>,
    most_bytes: usize,
}

impl Growing {
    /// Creates an empty buffer that is expected to grow to about `most_bytes` at most.
    pub fn new(most_bytes: usize) -> Growing {
        Growing {
            bytes: Vec::new(),
            most_bytes,
        }
    }

    /// Returns the buffer, so that bytes can be appended.
    pub fn end(&mut self) -> &mut Vec<u8> {
        let is_full = self.bytes.capacity() - self.bytes.len() < SMALL_BYTES / 16;
        if is_full && self.bytes.len() >= SMALL_BYTES / 2 && self.bytes.len() < self.most_bytes {
            self.bytes.reserve_exact(self.most_bytes - self.bytes.len());
        }
        &mut self.bytes
    }

    /// Returns the bytes, without spare capacity.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.shrink_to_fit();
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A large body is not reallocated until it exceeds its expected maximum. A body of any size,
    /// even above that maximum, is complete and has no spare capacity.
    #[test]
    fn large_bodies_are_moved_once() {
        const PIECE: usize = SMALL_BYTES / 64;
        for (pieces, most_pieces) in [(0usize, 0usize), (1, 1_000), (200, 210), (200, 100)] {
            let mut growing = Growing::new(most_pieces * PIECE);
            let mut moves = 0;
            for i in 0..pieces {
                let end = growing.end();
                let before = end.capacity();
                end.extend_from_slice(&vec![i as u8; PIECE]);
                let is_large = end.len() > SMALL_BYTES && i < most_pieces;
                moves += usize::from(is_large && end.capacity() != before);
            }
            assert_eq!(moves, 0, "{pieces} pieces, at most {most_pieces}");
            let whole = growing.finish();
            let expected = (0..pieces).flat_map(|i| vec![i as u8; PIECE]);
            assert!(whole == expected.collect::<Vec<u8>>());
            assert_eq!(whole.capacity(), whole.len());
        }
    }
}
