//! The content of a file, in chunks that several images can share.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// Size of a chunk, the unit of sharing between images and of allocation on the device. It is the
/// size of a database page.
pub(super) const CHUNK: usize = 4096;

#[derive(Debug)]
struct Chunk {
    bytes: [u8; CHUNK],
    /// A digest of the bytes, computed on first use; 0 if all bytes are zero.
    digest: OnceLock<u64>,
}

impl Clone for Chunk {
    fn clone(&self) -> Self {
        Self {
            bytes: self.bytes,
            digest: OnceLock::new(),
        }
    }
}

impl Chunk {
    fn digest(&self) -> u64 {
        *self.digest.get_or_init(|| {
            if self.bytes.iter().all(|byte| *byte == 0) {
                return 0;
            }
            let mut hasher = DefaultHasher::new();
            hasher.write(&self.bytes);
            hasher.finish()
        })
    }
}

/// The content of a file. A clone costs one pointer per 4 KiB; ranges that were never written take
/// no space.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileContent {
    chunks: Vec<Option<Arc<Chunk>>>,
    len: u64,
    written: u64,
}

impl FileContent {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Returns the allocated space, in bytes.
    pub(super) fn allocated(&self) -> u64 {
        self.written * CHUNK as u64
    }

    /// Returns whether the chunk that contains a byte was ever written.
    pub(crate) fn was_written(&self, at: u64) -> bool {
        matches!(self.chunks.get(at as usize / CHUNK), Some(Some(_)))
    }

    /// Returns the additional space that a write would allocate.
    pub(super) fn missing(&self, offset: u64, len: u64) -> u64 {
        if len == 0 {
            return 0;
        }
        let chunks = offset / CHUNK as u64..=(offset + len - 1) / CHUNK as u64;
        chunks
            .filter(|c| !self.was_written(c * CHUNK as u64))
            .count() as u64
            * CHUNK as u64
    }

    /// Fills `out`. Returns `false` when the file ends before `out` is full.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> bool {
        if offset + out.len() as u64 > self.len {
            return false;
        }
        let mut at = offset as usize;
        let mut left = out;
        while !left.is_empty() {
            let within = at % CHUNK;
            let (now, later) = left.split_at_mut(left.len().min(CHUNK - within));
            match self.chunks.get(at / CHUNK) {
                Some(Some(chunk)) => now.copy_from_slice(&chunk.bytes[within..within + now.len()]),
                _ => now.fill(0),
            }
            at += now.len();
            left = later;
        }
        true
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        let mut at = offset as usize;
        let mut left = data;
        while !left.is_empty() {
            let within = at % CHUNK;
            let (now, later) = left.split_at(left.len().min(CHUNK - within));
            self.chunk(at / CHUNK)[within..within + now.len()].copy_from_slice(now);
            at += now.len();
            left = later;
        }
        self.len = self.len.max(at as u64);
    }

    /// Truncates the content, or extends it with zeros that take no space.
    pub(crate) fn set_len(&mut self, len: u64) {
        let kept = len.div_ceil(CHUNK as u64) as usize;
        for cut in self.chunks.drain(kept.min(self.chunks.len())..) {
            self.written -= u64::from(cut.is_some());
        }
        let within = len as usize % CHUNK;
        if len < self.len && within > 0 && self.was_written(len) {
            self.chunk(len as usize / CHUNK)[within..].fill(0);
        }
        self.len = len;
    }

    /// Flips bits of a byte.
    pub(crate) fn flip(&mut self, at: u64, bits: u8) {
        self.chunk(at as usize / CHUNK)[at as usize % CHUNK] ^= bits;
    }

    fn chunk(&mut self, number: usize) -> &mut [u8; CHUNK] {
        if number >= self.chunks.len() {
            self.chunks.resize(number + 1, None);
        }
        let place = &mut self.chunks[number];
        self.written += u64::from(place.is_none());
        let empty = || {
            Arc::new(Chunk {
                bytes: [0; CHUNK],
                digest: OnceLock::new(),
            })
        };
        let chunk = Arc::make_mut(place.get_or_insert_with(empty));
        chunk.digest = OnceLock::new();
        &mut chunk.bytes
    }
}

/// Hashes the bytes only: written zeros and ranges that were never written are equal.
impl Hash for FileContent {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.len);
        for (number, chunk) in self.chunks.iter().enumerate() {
            let digest = chunk.as_ref().map_or(0, |chunk| chunk.digest());
            if digest != 0 {
                hasher.write_usize(number);
                hasher.write_u64(digest);
            }
        }
    }
}
