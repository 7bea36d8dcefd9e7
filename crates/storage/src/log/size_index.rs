//! A map from log indexes to cumulative log size. With this map, the log can be purged by its size
//! in bytes.

use std::collections::VecDeque;

/// The resolution of the map, as a divisor. Byte counts are accurate to 1/256 of the log's size,
/// plus one batch.
const PART_OF_LOG: u64 = 256;
/// Maximum number of marks, which are the entries of the map. The marks are 1/256 of the log's size
/// apart, so this number is enough for many times that size. The oldest marks are evicted first.
const MARKS_MAX: usize = 4_096;

/// A map from a log index to the total number of bytes that had been appended when the log ended
/// with this index.
///
/// - A mark is one pair of the map. Both the index and the number of bytes increase from mark to
///   mark.
/// - There are at most 4,096 marks, of 16 bytes each.
#[derive(Debug, Clone, Default)]
pub struct LogSizeIndex {
    marks: VecDeque<(u64, u64)>,
    appended_bytes: u64,
}

impl LogSizeIndex {
    /// Records a part of a log that is being opened, like [`LogSizeIndex::note`]. All bytes
    /// recorded so far, including this part, count as the size of the log.
    pub(crate) fn note_opened(&mut self, last: Option<u64>, bytes: u64) {
        self.note(last, bytes, self.appended_bytes + bytes);
    }

    /// Records that `bytes` more bytes were appended, and that the log now ends with index `last`
    /// and has a size of `log_bytes`.
    pub(crate) fn note(&mut self, last: Option<u64>, bytes: u64, log_bytes: u64) {
        self.appended_bytes += bytes;
        let Some(last) = last else { return };
        // After a truncation, the indexes of these marks belong to new entries.
        while self.marks.back().is_some_and(|(index, _)| *index >= last) {
            self.marks.pop_back();
        }
        let newest = self.marks.back().map(|(_, bytes)| *bytes);
        let apart = log_bytes / PART_OF_LOG;
        if newest.is_none_or(|newest| self.appended_bytes - newest >= apart) {
            self.marks.push_back((last, self.appended_bytes));
        }
        if self.marks.len() > MARKS_MAX {
            self.marks.pop_front();
        }
    }

    /// Returns the size of the log when the store was opened, plus the bytes appended since.
    pub fn appended_bytes(&self) -> u64 {
        self.appended_bytes
    }

    /// Returns the number of bytes after index `after` up to and including index `upto`. If `after`
    /// is `None`, the bytes are counted from the beginning of the log.
    pub fn bytes_between(&self, after: Option<u64>, upto: u64) -> u64 {
        let from = after.map_or(0, |after| self.bytes_at(after));
        self.bytes_at(upto).saturating_sub(from)
    }

    /// Returns the newest known index that is followed by at least `bytes` bytes of log, or `None`
    /// if the log is smaller.
    pub fn index_before(&self, bytes: u64) -> Option<u64> {
        let is_before = |mark: &(u64, u64)| self.appended_bytes - mark.1 >= bytes;
        let count = self.marks.partition_point(is_before);
        Some(self.marks[count.checked_sub(1)?].0)
    }

    fn bytes_at(&self, index: u64) -> u64 {
        let count = self.marks.partition_point(|(mark, _)| *mark <= index);
        count
            .checked_sub(1)
            .map_or(0, |newest| self.marks[newest].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KB: u64 = 1 << 10;

    fn opened() -> LogSizeIndex {
        let mut size_index = LogSizeIndex::default();
        size_index.note_opened(Some(10), 500 * KB);
        size_index
    }

    /// The number of bytes between two indexes is accurate to the distance between two marks. Bytes
    /// from before the first mark are attributed to the index of that mark.
    #[test]
    fn bytes_are_found_by_index() {
        let mut size_index = opened();
        size_index.note(Some(20), 200 * KB, 700 * KB);
        size_index.note(Some(21), 1, 700 * KB);
        size_index.note(Some(30), 200 * KB - 1, 900 * KB);
        assert_eq!(size_index.appended_bytes(), 900 * KB);
        assert_eq!(size_index.bytes_between(None, 30), 900 * KB);
        assert_eq!(size_index.bytes_between(Some(9), 30), 900 * KB);
        assert_eq!(size_index.bytes_between(Some(10), 30), 400 * KB);
        assert_eq!(size_index.bytes_between(Some(15), 29), 200 * KB);
        assert_eq!(size_index.bytes_between(Some(25), 30), 200 * KB);
        assert_eq!(size_index.bytes_between(Some(40), 30), 0);
        assert_eq!(LogSizeIndex::default().bytes_between(None, 0), 0);
    }

    /// `index_before` returns an index that is followed by at least the given number of bytes, and
    /// no index if the log is smaller.
    #[test]
    fn what_is_to_stay_is_found() {
        let mut size_index = opened();
        size_index.note(Some(20), 200 * KB, 700 * KB);
        size_index.note(Some(30), 200 * KB, 900 * KB);
        assert_eq!(size_index.index_before(0), Some(30));
        assert_eq!(size_index.index_before(200 * KB), Some(20));
        assert_eq!(size_index.index_before(200 * KB + 1), Some(10));
        assert_eq!(size_index.index_before(401 * KB), None);
        assert_eq!(LogSizeIndex::default().index_before(0), None);
    }

    /// A truncation removes the marks of the removed indexes, since these indexes are assigned to
    /// new entries.
    #[test]
    fn a_cut_takes_its_marks() {
        let mut size_index = opened();
        size_index.note(Some(20), 200 * KB, 700 * KB);
        size_index.note(Some(15), 100 * KB, 600 * KB);
        assert_eq!(size_index.bytes_between(Some(10), 15), 300 * KB);
        size_index.note(Some(20), 1, 600 * KB);
        assert_eq!(
            size_index.bytes_between(Some(15), 20),
            0,
            "too close for a mark"
        );
        assert_eq!(size_index.index_before(300 * KB), Some(10));
    }

    /// A log that is opened gets marks over its whole length. Without the marks, the part of the
    /// log from before the open could be purged only after a new snapshot that covers the whole
    /// log.
    #[test]
    fn an_opened_log_is_known_by_its_parts() {
        let mut size_index = LogSizeIndex::default();
        for nth in 0..100_000 {
            size_index.note_opened(Some(nth), KB);
        }
        assert_eq!(size_index.appended_bytes(), 100_000 * KB);
        let near = |bytes: u64, exact: u64| bytes.abs_diff(exact) <= 100_000 / PART_OF_LOG;
        assert!(near(
            size_index.bytes_between(Some(70_000), 99_999) / KB,
            29_999
        ));
        let old = size_index.index_before(32_000 * KB).expect("a larger log");
        assert!(near(old, 67_999), "{old}");
    }

    /// The number of marks is limited, regardless of the length of the log.
    #[test]
    fn the_oldest_marks_go() {
        let mut size_index = LogSizeIndex::default();
        for nth in 0..2 * MARKS_MAX as u64 {
            size_index.note(Some(nth), KB, PART_OF_LOG * KB);
        }
        assert_eq!(size_index.marks.len(), MARKS_MAX);
        let newest = 2 * MARKS_MAX as u64 - 1;
        assert_eq!(size_index.index_before(3 * KB), Some(newest - 3));
    }
}
