//! The encoding of WAL frames.
//!
//! A frame is `magic u32 | generation u64 | sequence u32 | length u32 | crc32c of the body | crc32c
//! of the salt and all fields before | body`. Numbers are in little-endian order. A frame is padded
//! with zeros to a whole block.
//!
//! The body begins with the committed log id as `length u32 | record`, with length 0 if there is
//! none. The entries follow, each as `index u64 | length u32 | record`. The salt is a random number
//! that is stored in the database. A client that knew the salt could craft an announcement that
//! looks like a frame.

use crate::codec;
use crate::db::schema::WalEpoch;
use crate::error::Unreadable;
use crate::types::LogId;
use std::io;

/// Alignment of frames, in bytes: the smallest unit that a disk writes, and the size of a page in
/// the system's page cache.
pub(crate) const BLOCK_BYTES: usize = 4096;

const MAGIC: u32 = u32::from_le_bytes(*b"QRJ\x01");
const HEADER_BYTES: usize = 28;
/// Size of the index and the length in front of a record.
const RECORD_HEAD_BYTES: usize = 12;
/// Maximum size of the committed log id in a frame: its record and the length in front of it.
const COMMITTED_BYTES_MAX: usize = 64;

/// The entries that were appended in one batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct WalFrame {
    /// The last entry known to be committed.
    pub(crate) committed: Option<LogId>,
    /// The index and the record of each entry.
    pub(crate) records: Vec<(u64, Vec<u8>)>,
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) generation: u64,
    pub(crate) sequence: u32,
    body_bytes: u32,
    body_crc: u32,
}

impl FrameHeader {
    /// Reads the header at the start of a block. Returns `None` if there is no valid header.
    pub(crate) fn read(block: &[u8], salt: u64) -> Option<FrameHeader> {
        let (mut fields, crc) = block.get(..HEADER_BYTES)?.split_at(HEADER_BYTES - 4);
        if u32::from_le_bytes(crc.try_into().ok()?) != header_crc(fields, salt) {
            return None;
        }
        let is_frame = take_u32(&mut fields)? == MAGIC;
        let header = FrameHeader {
            generation: take_u64(&mut fields)?,
            sequence: take_u32(&mut fields)?,
            body_bytes: take_u32(&mut fields)?,
            body_crc: take_u32(&mut fields)?,
        };
        is_frame.then_some(header)
    }

    /// Writes the header to the start of a block.
    fn write(self, out: &mut [u8], salt: u64) {
        let mut fields = Vec::with_capacity(HEADER_BYTES);
        fields.extend(MAGIC.to_le_bytes());
        fields.extend(self.generation.to_le_bytes());
        fields.extend(self.sequence.to_le_bytes());
        fields.extend(self.body_bytes.to_le_bytes());
        fields.extend(self.body_crc.to_le_bytes());
        let crc = header_crc(&fields, salt);
        fields.extend(crc.to_le_bytes());
        out[..HEADER_BYTES].copy_from_slice(&fields);
    }
}

fn header_crc(fields: &[u8], salt: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), fields)
}

/// Returns the maximum size on disk of a frame with this number of records and bytes.
pub(crate) fn bytes_at_most(records: usize, bytes: usize) -> u64 {
    let body = COMMITTED_BYTES_MAX + records * RECORD_HEAD_BYTES + bytes;
    (HEADER_BYTES + body).next_multiple_of(BLOCK_BYTES) as u64
}

/// Encodes a frame as whole blocks.
///
/// # Errors
/// Returns an error if a length exceeds the range of `u32`.
pub(crate) fn encode<'a>(
    epoch: WalEpoch,
    sequence: u32,
    committed: Option<LogId>,
    records: impl Iterator<Item = &'a (u64, Vec<u8>)> + Clone,
) -> io::Result<Vec<u8>> {
    let record_bytes = records.clone().map(|(_, record)| record.len()).sum();
    let room = bytes_at_most(records.clone().count(), record_bytes);
    let mut bytes = Vec::with_capacity(room as usize);
    bytes.resize(HEADER_BYTES, 0);
    let committed = committed.map(codec::encode_log_id).transpose();
    let committed = committed.map_err(io::Error::other)?.unwrap_or_default();
    put(&mut bytes, &committed)?;
    for (index, record) in records {
        bytes.extend(index.to_le_bytes());
        put(&mut bytes, record)?;
    }
    let (header, body) = bytes.split_at_mut(HEADER_BYTES);
    FrameHeader {
        generation: epoch.generation,
        sequence,
        body_bytes: length_of(body)?,
        body_crc: crc32c::crc32c(body),
    }
    .write(header, epoch.salt);
    bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
    Ok(bytes)
}

fn put(bytes: &mut Vec<u8>, record: &[u8]) -> io::Result<()> {
    bytes.extend(length_of(record)?.to_le_bytes());
    bytes.extend_from_slice(record);
    Ok(())
}

fn length_of(bytes: &[u8]) -> io::Result<u32> {
    u32::try_from(bytes.len()).map_err(io::Error::other)
}

/// Decodes the frame at the start of `bytes`, and returns the frame with its size. Returns `None`
/// if there is no frame, or if the frame is torn or has another generation or sequence number.
///
/// # Errors
/// Returns an error if the checksums match but the content is invalid.
pub(crate) fn decode(
    bytes: &[u8],
    epoch: WalEpoch,
    sequence: u32,
) -> Result<Option<(WalFrame, usize)>, Unreadable> {
    let Some(body) = body_of(bytes, epoch, sequence) else {
        return Ok(None);
    };
    let taken = (HEADER_BYTES + body.len()).next_multiple_of(BLOCK_BYTES);
    Ok(Some((decode_body(body)?, taken)))
}

/// Returns the body of the frame at the start of `bytes`, if it is the expected frame and intact.
fn body_of(bytes: &[u8], epoch: WalEpoch, sequence: u32) -> Option<&[u8]> {
    let header = FrameHeader::read(bytes, epoch.salt)?;
    if (header.generation, header.sequence) != (epoch.generation, sequence) {
        return None;
    }
    let end = HEADER_BYTES.checked_add(header.body_bytes as usize)?;
    let body = bytes.get(HEADER_BYTES..end)?;
    (crc32c::crc32c(body) == header.body_crc).then_some(body)
}

/// Decodes the body of a frame: the committed log id and the records.
fn decode_body(mut body: &[u8]) -> Result<WalFrame, Unreadable> {
    let ends_early = || Unreadable::damaged("a frame ends within a record");
    let committed = take_record(&mut body).ok_or_else(ends_early)?;
    let mut frame = WalFrame::default();
    if !committed.is_empty() {
        frame.committed = Some(codec::decode_log_id(committed)?);
    }
    while !body.is_empty() {
        let index = take_u64(&mut body).ok_or_else(ends_early)?;
        let record = take_record(&mut body).ok_or_else(ends_early)?;
        frame.records.push((index, record.to_vec()));
    }
    Ok(frame)
}

fn take_record<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_u32(bytes)? as usize;
    bytes.split_off(..length)
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*first))
}

fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*first))
}

/// Entry points for fuzzing: frame bodies with valid checksums.
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing {
    use super::{FrameHeader, HEADER_BYTES, WalEpoch, WalFrame, decode, encode};

    const EPOCH: WalEpoch = WalEpoch {
        salt: 0,
        generation: 1,
        length_bytes: 0,
    };

    pub(crate) fn read(body: &[u8]) -> Option<WalFrame> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes.extend_from_slice(body);
        FrameHeader {
            generation: EPOCH.generation,
            sequence: 0,
            body_bytes: u32::try_from(body.len()).ok()?,
            body_crc: crc32c::crc32c(body),
        }
        .write(&mut bytes, EPOCH.salt);
        let (frame, _) = decode(&bytes, EPOCH, 0).ok()??;
        Some(frame)
    }

    pub(crate) fn body_of(frame: &WalFrame) -> Option<Vec<u8>> {
        let bytes = encode(EPOCH, 0, frame.committed, frame.records.iter()).ok()?;
        let header = FrameHeader::read(&bytes, EPOCH.salt)?;
        let body = bytes.get(HEADER_BYTES..)?;
        body.get(..header.body_bytes as usize).map(<[u8]>::to_vec)
    }
}
