//! Reads a snapshot that comes in pieces, and gives up each piece once it is read.

use super::{BadSnapshot, DIGEST_BYTES, damaged};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Reads values from the pieces of a snapshot, one after the other. The digest at the end is not
/// read as a value.
pub(super) struct Reader<P> {
    pieces: P,
    /// What has come and is not given up yet.
    pub(super) window: Vec<u8>,
    /// How much of the window was read.
    read: usize,
    /// How much of the snapshot was read.
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

    /// Gives up what was read, and adds as much as there is unread, or one piece. False at the end.
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

    /// Whether only the digest is left.
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

    /// The same, with the bytes that it was read from.
    pub(super) fn take_packed<T: DeserializeOwned>(
        &mut self,
        part: &'static str,
    ) -> Result<(T, Arc<[u8]>), BadSnapshot> {
        let (value, bytes) = self.peek(part)?;
        let packed = self.rest().get(..bytes).unwrap_or_default().into();
        self.pass(bytes);
        Ok((value, packed))
    }

    /// The next value, and how many bytes it has.
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
