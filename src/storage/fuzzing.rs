//! Doors for fuzzing: log records and frames of the journal whose checksums are right.

use super::codec::{HEADER, decode_entry, encode_entry, entry_index, seal};
use super::wal::frame::{Frame, fuzzing as journal};
use crate::storage::types::Entry;

/// Reads the content of a log record. Whether it was one.
pub fn read_log_record(content: &[u8]) -> bool {
    let mut record = vec![0; HEADER];
    record.extend_from_slice(content);
    seal(&mut record);
    entry_index(&record).is_ok_and(|index| decode_entry(index, &record).is_ok())
}

/// The content of an entry's record.
pub fn log_record_of(entry: &Entry) -> Vec<u8> {
    let record = encode_entry(entry).unwrap_or_default();
    record.get(HEADER..).unwrap_or_default().to_vec()
}

/// Reads the body of a frame, and writes it again; `None` when it was none.
pub fn log_frame_again(body: &[u8]) -> Option<Vec<u8>> {
    journal::body_of(&journal::read(body)?)
}

/// The body of a frame that brings entries, and says that all but the last are committed.
pub fn log_frame_of(entries: &[Entry]) -> Vec<u8> {
    let record = |entry: &Entry| Some((entry.log_id.index, encode_entry(entry).ok()?));
    let frame = Frame {
        committed: entries.iter().rev().nth(1).map(|entry| entry.log_id),
        records: entries.iter().filter_map(record).collect(),
    };
    journal::body_of(&frame).unwrap_or_default()
}
