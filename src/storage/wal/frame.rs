//! The bytes of a frame.
//!
//! `magic u32 | generation u64 | sequence u32 | length u32 | crc32c of the body | crc32c of all before and the salt | body`, numbers
//! little-endian, zeros up to a whole block. The body is the committed log id, then each record: `index u64 | length u32 | record`;
//! the log id has the length alone before it, 0 for none. The salt is of chance and noted in the database: no announcement can be
//! made to look like a frame.

use crate::storage::codec;
use crate::storage::db::schema::Mark;
use crate::storage::error::Unreadable;
use crate::storage::types::LogId;
use std::io;

/// What a frame begins and ends with: the least that a disk writes as one, and a page of the system's cache.
pub(crate) const BLOCK_BYTES: usize = 4096;

const MAGIC: u32 = u32::from_le_bytes(*b"QRJ\x01");
const HEADER_BYTES: usize = 28;
/// Its two numbers.
const RECORD_HEAD_BYTES: usize = 12;
/// A log id's record, and its length.
const COMMITTED_BYTES_MAX: usize = 64;

/// What was appended in one batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The last entry known to be committed.
    pub(crate) committed: Option<LogId>,
    /// Index and record of each entry.
    pub(crate) records: Vec<(u64, Vec<u8>)>,
}

/// What a frame begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) generation: u64,
    pub(crate) sequence: u32,
    body_bytes: u32,
    body_crc: u32,
}

impl Header {
    /// The header at the start of a block, if there is one.
    pub(crate) fn read(block: &[u8], salt: u64) -> Option<Header> {
        let (mut fields, crc) = block.get(..HEADER_BYTES)?.split_at(HEADER_BYTES - 4);
        if u32::from_le_bytes(crc.try_into().ok()?) != header_crc(fields, salt) {
            return None;
        }
        let is_frame = take_u32(&mut fields)? == MAGIC;
        let header = Header {
            generation: take_u64(&mut fields)?,
            sequence: take_u32(&mut fields)?,
            body_bytes: take_u32(&mut fields)?,
            body_crc: take_u32(&mut fields)?,
        };
        is_frame.then_some(header)
    }

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

/// What a frame of so many records and bytes takes on disk, at most.
pub(crate) fn bytes_at_most(records: usize, bytes: usize) -> u64 {
    let body = COMMITTED_BYTES_MAX + records * RECORD_HEAD_BYTES + bytes;
    (HEADER_BYTES + body).next_multiple_of(BLOCK_BYTES) as u64
}

/// The blocks of a frame.
///
/// # Errors
/// When it is larger than numbers go.
pub(crate) fn encode<'a>(
    mark: Mark,
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
    Header {
        generation: mark.generation,
        sequence,
        body_bytes: length_of(body)?,
        body_crc: crc32c::crc32c(body),
    }
    .write(header, mark.salt);
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

/// The frame at the start of `bytes`, and what it takes; none when another is there, or none, or it is torn.
///
/// # Errors
/// When it is whole and makes no sense.
pub(crate) fn decode(
    bytes: &[u8],
    mark: Mark,
    sequence: u32,
) -> Result<Option<(Frame, usize)>, Unreadable> {
    let Some(body) = body_of(bytes, mark, sequence) else {
        return Ok(None);
    };
    let taken = (HEADER_BYTES + body.len()).next_multiple_of(BLOCK_BYTES);
    Ok(Some((decode_body(body)?, taken)))
}

fn body_of(bytes: &[u8], mark: Mark, sequence: u32) -> Option<&[u8]> {
    let header = Header::read(bytes, mark.salt)?;
    if (header.generation, header.sequence) != (mark.generation, sequence) {
        return None;
    }
    let end = HEADER_BYTES.checked_add(header.body_bytes as usize)?;
    let body = bytes.get(HEADER_BYTES..end)?;
    (crc32c::crc32c(body) == header.body_crc).then_some(body)
}

fn decode_body(mut body: &[u8]) -> Result<Frame, Unreadable> {
    let ends_early = || Unreadable::damaged("a frame ends within a record");
    let committed = take_record(&mut body).ok_or_else(ends_early)?;
    let mut frame = Frame::default();
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

/// A door for fuzzing: the bodies of frames whose checksums are right.
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing {
    use super::{Frame, HEADER_BYTES, Header, Mark, decode, encode};

    const MARK: Mark = Mark {
        salt: 0,
        generation: 1,
        length_bytes: 0,
    };

    pub(crate) fn read(body: &[u8]) -> Option<Frame> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes.extend_from_slice(body);
        Header {
            generation: MARK.generation,
            sequence: 0,
            body_bytes: u32::try_from(body.len()).ok()?,
            body_crc: crc32c::crc32c(body),
        }
        .write(&mut bytes, MARK.salt);
        let (frame, _) = decode(&bytes, MARK, 0).ok()??;
        Some(frame)
    }

    pub(crate) fn body_of(frame: &Frame) -> Option<Vec<u8>> {
        let bytes = encode(MARK, 0, frame.committed, frame.records.iter()).ok()?;
        let header = Header::read(&bytes, MARK.salt)?;
        let body = bytes.get(HEADER_BYTES..)?;
        body.get(..header.body_bytes as usize).map(<[u8]>::to_vec)
    }
}
