//! Reads a snapshot from pieces, and frees each piece once it is read.

use super::bad_snapshot::{BadSnapshot, DIGEST_BYTES, damaged};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A reader of the values in the pieces of a snapshot. The digest at the end is not a value.
pub(super) struct Reader<P> {
    pieces: P,
    /// The bytes that were taken from the pieces and are not freed yet.
    pub(super) window: Vec<u8>,
    /// Number of bytes at the start of the window that were read.
    read: usize,
    /// Number of bytes read from the snapshot.
    pub(super) at: usize,
}

impl<P: Iterator<Item = Vec<u8>>> Reader<P> {
    pub(super) fn new(pieces: P) -> Self {
        Self {
            pieces,
            window: Vec::new(),
            read: 0,
            at: 0,
        }
    }

    /// Frees the bytes that were read. Then appends at least one piece, and further pieces until
    /// the number of unread bytes has doubled. Returns false at the end of the snapshot.
    pub(super) fn fill(&mut self) -> bool {
        self.window.drain(..self.read);
        self.read = 0;
        let before = self.window.len();
        while self.window.len() < 2 * before.max(1) {
            match self.pieces.next() {
                Some(piece) => self.window.extend_from_slice(&piece),
                None => break,
            }
        }
        self.window.len() > before
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.window.get(self.read..).unwrap_or_default()
    }

    pub(super) fn pass(&mut self, bytes: usize) {
        self.read += bytes;
        self.at += bytes;
    }

    /// Returns whether only the digest is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        while self.rest().len() <= DIGEST_BYTES && self.fill() {}
        self.rest().len() == DIGEST_BYTES
    }

    pub(super) fn take<T: DeserializeOwned>(
        &mut self,
        part: &'static str,
    ) -> Result<T, BadSnapshot> {
        let (value, bytes) = self.peek(part)?;
        self.pass(bytes);
        Ok(value)
    }

    /// Returns the next value and its bytes.
    pub(super) fn take_packed<T: DeserializeOwned>(
        &mut self,
        part: &'static str,
    ) -> Result<(T, Arc<[u8]>), BadSnapshot> {
        let (value, bytes) = self.peek(part)?;
        let packed = self.rest().get(..bytes).unwrap_or_default().into();
        self.pass(bytes);
        Ok((value, packed))
    }

    /// Returns the next value and its length, without advancing.
    fn peek<T: DeserializeOwned>(&mut self, part: &'static str) -> Result<(T, usize), BadSnapshot> {
        loop {
            let rest = self.rest();
            let end = rest.len().saturating_sub(DIGEST_BYTES);
            let value = postcard::take_from_bytes(&rest[..end]);
            match value.map(|(value, left)| (value, end - left.len())) {
                Ok(read) => return Ok(read),
                Err(postcard::Error::DeserializeUnexpectedEnd) if self.fill() => {}
                Err(error) => return Err(damaged(part, self.at, &error.to_string())),
            }
        }
    }
}
