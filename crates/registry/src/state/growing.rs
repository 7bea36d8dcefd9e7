//! A body while it is written, without a second copy of it however large it grows.

/// A vector that doubles has room for twice its bytes, and holds all of them twice while it is
/// moved. Below this size that does no harm.
const SMALL_BYTES: usize = 16 << 20;

/// Bytes that are appended one after the other.
///
/// Memory that was asked for and never written takes no place, and what was not needed is given
/// back at the end: so it costs nothing to ask for the most.
#[derive(Debug)]
pub(super) struct Growing {
    bytes: Vec<u8>,
    most_bytes: usize,
}

impl Growing {
    /// Nothing so far, and hardly more than `most_bytes` in the end.
    pub fn new(most_bytes: usize) -> Growing {
        Growing {
            bytes: Vec::new(),
            most_bytes,
        }
    }

    /// The end, to append to.
    pub fn end(&mut self) -> &mut Vec<u8> {
        let is_full = self.bytes.capacity() - self.bytes.len() < SMALL_BYTES / 16;
        if is_full && self.bytes.len() >= SMALL_BYTES / 2 && self.bytes.len() < self.most_bytes {
            self.bytes.reserve_exact(self.most_bytes - self.bytes.len());
        }
        &mut self.bytes
    }

    /// All of them, with no room to spare.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.shrink_to_fit();
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Large bodies are moved once, small ones take little, and one that is larger than was said
    /// is whole too.
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
