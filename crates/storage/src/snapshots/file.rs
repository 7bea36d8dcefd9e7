//! The format of a snapshot file.
//!
//! A file is `magic | version u32 | meta length u32 | body length u64 | crc32c | meta record |
//! blocks | magic | crc32c`, with numbers in little-endian order. A block is up to 64 KiB of the
//! body, followed by a crc32c of its number and its bytes. The last checksum covers the header and
//! the checksums of all blocks.

use crate::codec;
use crate::error::{Damage, Unreadable};
use crate::types::SnapshotMeta;
use crate::vfs::VfsFile;
use quorate_registry::MAX_HELD_BYTES;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

const MAGIC: [u8; 8] = *b"QRSNAP\r\n";
const VERSION: u32 = 1;
const HEADER: usize = 28;
const FOOTER: usize = 12;
/// Size of a block of the body. An error names a damaged block by its number. Blocks are small
/// enough for a test that flips bits throughout a file of several blocks.
const BLOCK: usize = 64 * 1024;
/// Maximum size of the metadata. A membership has at most some tens of members, so a header with a
/// larger value is invalid.
const META_BYTES_MAX: u32 = 1 << 20;
/// Maximum size of a body that is written, read or received from a leader. A header with a larger
/// value is invalid.
///
/// The maximum is twice [`MAX_HELD_BYTES`], which limits the accounted memory cost of the
/// registry's content. The encoded content is always smaller than this cost.
pub const SNAPSHOT_BYTES_MAX: u64 = 512 << 20;
const _: () = assert!(2 * MAX_HELD_BYTES as u64 <= SNAPSHOT_BYTES_MAX);

/// The reason why a snapshot file cannot be used.
#[derive(Debug, Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{path}: {what}", path = .0.display(), what = .1)]
    Unreadable(PathBuf, Unreadable),
}

impl From<LoadError> for io::Error {
    fn from(e: LoadError) -> Self {
        match e {
            LoadError::Io(e) => e,
            unreadable => Self::new(io::ErrorKind::InvalidData, unreadable),
        }
    }
}

fn block_crc(number: u64, block: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&number.to_le_bytes()), block)
}

/// Checks that a reader would accept the metadata of a snapshot, and returns the encoded metadata.
///
/// # Errors
/// Returns an error if a reader would reject the metadata.
pub fn check_snapshot_meta(meta: &SnapshotMeta) -> io::Result<Vec<u8>> {
    let refused = |what: String| {
        let text = format!("a snapshot's membership cannot be written: {what}");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    let encoded = codec::encode_snapshot_meta(meta).map_err(io::Error::other)?;
    if encoded.len() > META_BYTES_MAX as usize {
        let bytes = encoded.len();
        return Err(refused(format!(
            "it has {bytes} bytes; the limit is {META_BYTES_MAX}"
        )));
    }
    match codec::decode_snapshot_meta(&encoded) {
        Ok(_) => Ok(encoded),
        Err(what) => Err(refused(what.to_string())),
    }
}

/// Checks that a body is not larger than a reader would accept.
pub(crate) fn check_body(bytes: u64) -> io::Result<()> {
    match bytes <= SNAPSHOT_BYTES_MAX {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a snapshot has {bytes} bytes; the limit is {SNAPSHOT_BYTES_MAX}"),
        )),
    }
}

/// Writes a whole snapshot file: the header, the blocks and the footer.
pub(crate) fn write_file(
    file: &dyn VfsFile,
    meta: &[u8],
    body_bytes: u64,
    write_body: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<()> {
    let meta_bytes = u32::try_from(meta.len()).map_err(io::Error::other)?;
    let mut header = Vec::with_capacity(HEADER + meta.len());
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&meta_bytes.to_le_bytes());
    header.extend_from_slice(&body_bytes.to_le_bytes());
    header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
    let whole = crc32c::crc32c(&header);
    header.extend_from_slice(meta);
    file.write_at(0, &header)?;
    let mut blocks = Blocks {
        file,
        at: header.len() as u64,
        number: 0,
        whole,
        block: Vec::with_capacity(BLOCK + size_of::<u32>()),
        written: 0,
    };
    write_body(&mut blocks)?;
    blocks.finish(body_bytes)
}

/// A writer that splits a body into blocks, each with its checksum.
struct Blocks<'f> {
    file: &'f dyn VfsFile,
    at: u64,
    number: u64,
    /// The checksum of the header and of the checksums of all blocks so far.
    whole: u32,
    block: Vec<u8>,
    written: u64,
}

impl Blocks<'_> {
    /// Writes the current block with its checksum.
    fn write_block(&mut self) -> io::Result<()> {
        let crc = block_crc(self.number, &self.block).to_le_bytes();
        self.whole = crc32c::crc32c_append(self.whole, &crc);
        self.block.extend_from_slice(&crc);
        self.file.write_at(self.at, &self.block)?;
        self.at += self.block.len() as u64;
        self.number += 1;
        self.block.clear();
        Ok(())
    }

    /// Writes the last block and the footer.
    fn finish(mut self, body_bytes: u64) -> io::Result<()> {
        if !self.block.is_empty() {
            self.write_block()?;
        }
        if self.written != body_bytes {
            let why = format!(
                "a snapshot has {} bytes instead of {body_bytes}",
                self.written
            );
            return Err(io::Error::other(why));
        }
        let footer = [&MAGIC[..], &self.whole.to_le_bytes()].concat();
        self.file.write_at(self.at, &footer)
    }
}

impl io::Write for Blocks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&bytes[..taken]);
        self.written += taken as u64;
        if self.block.len() == BLOCK {
            self.write_block()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn damaged(what: impl Into<Damage>) -> LoadError {
    LoadError::Unreadable(PathBuf::new(), Unreadable::damaged(what))
}

/// Returns the bytes of a fixed-width number at offset `at` of a header.
fn number<const N: usize>(bytes: &[u8; HEADER], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

/// Reads a whole snapshot file and checks it.
pub(crate) fn read_file(file: &dyn VfsFile) -> Result<(SnapshotMeta, Vec<u8>), LoadError> {
    let len = file.len()?;
    if len < (HEADER + FOOTER) as u64 {
        return Err(damaged(format!(
            "it has {len} bytes, too few for a snapshot"
        )));
    }
    let mut header = [0; HEADER];
    file.read_at(0, &mut header)?;
    if number::<8>(&header, 0) != MAGIC
        || crc32c::crc32c(&header[..24]) != u32::from_le_bytes(number(&header, 24))
    {
        return Err(damaged("its header is damaged"));
    }
    let version = u32::from_le_bytes(number(&header, 8));
    if version != VERSION {
        let newer = Unreadable::Newer {
            found: version,
            known: VERSION,
        };
        return Err(LoadError::Unreadable(PathBuf::new(), newer));
    }
    let meta_len = u32::from_le_bytes(number(&header, 12));
    let body_len = u64::from_le_bytes(number(&header, 16));
    let blocks = body_len.div_ceil(BLOCK as u64);
    if meta_len > META_BYTES_MAX || body_len > SNAPSHOT_BYTES_MAX {
        return Err(damaged("its header is damaged"));
    }
    let expected = (HEADER + FOOTER) as u64 + u64::from(meta_len) + body_len + 4 * blocks;
    if len != expected {
        return Err(damaged(format!("it has {len} bytes, not {expected}")));
    }
    let mut meta = vec![0; meta_len as usize];
    file.read_at(HEADER as u64, &mut meta)?;
    let meta = codec::decode_snapshot_meta(&meta)
        .map_err(|what| LoadError::Unreadable(PathBuf::new(), what))?;
    let (body, whole, at) = read_blocks(
        file,
        HEADER as u64 + u64::from(meta_len),
        body_len,
        crc32c::crc32c(&header),
    )?;
    let mut footer = [0; FOOTER];
    file.read_at(at, &mut footer)?;
    if footer[..8] != MAGIC || footer[8..] != whole.to_le_bytes() {
        return Err(damaged("its footer is damaged"));
    }
    Ok((meta, body))
}

/// Reads a body and checks each block. Returns the body, the checksum for the footer, and the
/// footer's offset.
fn read_blocks(
    file: &dyn VfsFile,
    mut at: u64,
    body_len: u64,
    mut whole: u32,
) -> Result<(Vec<u8>, u32, u64), LoadError> {
    let mut body = Vec::with_capacity(body_len as usize);
    let mut framed = vec![0; BLOCK + 4];
    let mut number = 0;
    while (body.len() as u64) < body_len {
        let size = (body_len - body.len() as u64).min(BLOCK as u64) as usize;
        let framed = &mut framed[..size + 4];
        file.read_at(at, framed)?;
        let (block, crc) = framed.split_at(size);
        if block_crc(number, block).to_le_bytes() != *crc {
            return Err(damaged(format!("block {number} (at byte {at}) is damaged")));
        }
        whole = crc32c::crc32c_append(whole, crc);
        body.extend_from_slice(block);
        at += framed.len() as u64;
        number += 1;
    }
    Ok((body, whole, at))
}
