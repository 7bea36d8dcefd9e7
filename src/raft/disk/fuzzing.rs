//! A door for fuzzing: log records whose checksum is right.

use super::record::{HEADER, decode_entry, encode_entry, entry_index, seal};
use crate::raft::types::Entry;

/// Reads the content of a log record. Whether it was one.
pub(in crate::raft) fn read_log_record(content: &[u8]) -> bool {
    let mut record = vec![0; HEADER];
    record.extend_from_slice(content);
    seal(&mut record);
    entry_index(&record).is_ok_and(|index| decode_entry(index, &record).is_ok())
}

/// The content of an entry's record.
pub(in crate::raft) fn log_record_of(entry: &Entry) -> Vec<u8> {
    let record = encode_entry(entry).unwrap_or_default();
    record.get(HEADER..).unwrap_or_default().to_vec()
}
