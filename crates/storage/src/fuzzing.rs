//! Entry points for fuzzing: log records and WAL frames with valid checksums.

use super::codec::{HEADER, decode_entry, encode_entry, entry_index, seal};
use super::wal::frame::{WalFrame, fuzzing as wal};
use crate::types::Entry;

/// Decodes the content of a log record. Returns whether the record is valid.
pub fn read_log_record(content: &[u8]) -> bool {
    let mut record = vec![0; HEADER];
    record.extend_from_slice(content);
    seal(&mut record);
    entry_index(&record).is_ok_and(|index| decode_entry(index, &record).is_ok())
}

/// Returns the content of an entry's record.
pub fn log_record_of(entry: &Entry) -> Vec<u8> {
    let record = encode_entry(entry).unwrap_or_default();
    record.get(HEADER..).unwrap_or_default().to_vec()
}

/// Decodes the body of a frame and encodes it again. Returns `None` if the body is invalid.
pub fn log_frame_again(body: &[u8]) -> Option<Vec<u8>> {
    wal::body_of(&wal::read(body)?)
}

/// Returns the body of a frame with these entries. The frame marks all of them except the last as
/// committed.
pub fn log_frame_of(entries: &[Entry]) -> Vec<u8> {
    let record = |entry: &Entry| Some((entry.log_id.index, encode_entry(entry).ok()?));
    let frame = WalFrame {
        committed: entries.iter().rev().nth(1).map(|entry| entry.log_id),
        records: entries.iter().filter_map(record).collect(),
    };
    wal::body_of(&frame).unwrap_or_default()
}
