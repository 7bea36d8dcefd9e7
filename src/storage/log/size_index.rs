//! Where in the log how many bytes had come.

use std::collections::VecDeque;

/// Bytes are told to within such a part of the log, and a batch.
const PART_OF_LOG: u64 = 256;
/// Of many times the log; the oldest go.
const MARKS_MAX: usize = 4_096;

/// How many bytes of log had come when it ended with which index.
///
/// - Indexes and bytes grow from mark to mark.
/// - There are at most 4,096 marks, of 16 bytes.
#[derive(Debug, Clone, Default)]
pub struct LogGrowth {
    marks: VecDeque<(u64, u64)>,
    appended_bytes: u64,
}

impl LogGrowth {
    /// As [`LogGrowth::note`], of a log that is opened: it has what has come.
    pub(crate) fn note_opened(&mut self, last: Option<u64>, bytes: u64) {
        self.note(last, bytes, self.appended_bytes + bytes);
    }

    /// So many more have come, and the log ends with such an index and has so many.
    pub(crate) fn note(&mut self, last: Option<u64>, bytes: u64, log_bytes: u64) {
        self.appended_bytes += bytes;
        let Some(last) = last else { return };
        // The log was cut, and grew again.
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

    /// All that there were when the store was opened, and all that came since.
    pub fn appended_bytes(&self) -> u64 {
        self.appended_bytes
    }

    /// The bytes from after one index, or from the beginning, to another.
    pub fn bytes_between(&self, after: Option<u64>, upto: u64) -> u64 {
        let from = after.map_or(0, |after| self.bytes_at(after));
        self.bytes_at(upto).saturating_sub(from)
    }

    /// The newest index known that so many bytes came after.
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

    fn opened() -> LogGrowth {
        let mut growth = LogGrowth::default();
        growth.note_opened(Some(10), 500 * KB);
        growth
    }

    /// What came between two indexes is known to a mark, and what was there before the first belongs to it.
    #[test]
    fn bytes_are_found_by_index() {
        let mut growth = opened();
        growth.note(Some(20), 200 * KB, 700 * KB);
        growth.note(Some(21), 1, 700 * KB);
        growth.note(Some(30), 200 * KB - 1, 900 * KB);
        assert_eq!(growth.appended_bytes(), 900 * KB);
        assert_eq!(growth.bytes_between(None, 30), 900 * KB);
        assert_eq!(growth.bytes_between(Some(9), 30), 900 * KB);
        assert_eq!(growth.bytes_between(Some(10), 30), 400 * KB);
        assert_eq!(growth.bytes_between(Some(15), 29), 200 * KB);
        assert_eq!(growth.bytes_between(Some(25), 30), 200 * KB);
        assert_eq!(growth.bytes_between(Some(40), 30), 0);
        assert_eq!(LogGrowth::default().bytes_between(None, 0), 0);
    }

    /// After the index that is told there are at least so many bytes; of a smaller log none is told.
    #[test]
    fn what_is_to_stay_is_found() {
        let mut growth = opened();
        growth.note(Some(20), 200 * KB, 700 * KB);
        growth.note(Some(30), 200 * KB, 900 * KB);
        assert_eq!(growth.index_before(0), Some(30));
        assert_eq!(growth.index_before(200 * KB), Some(20));
        assert_eq!(growth.index_before(200 * KB + 1), Some(10));
        assert_eq!(growth.index_before(401 * KB), None);
        assert_eq!(LogGrowth::default().index_before(0), None);
    }

    /// After a cut the same indexes are others.
    #[test]
    fn a_cut_takes_its_marks() {
        let mut growth = opened();
        growth.note(Some(20), 200 * KB, 700 * KB);
        growth.note(Some(15), 100 * KB, 600 * KB);
        assert_eq!(growth.bytes_between(Some(10), 15), 300 * KB);
        growth.note(Some(20), 1, 600 * KB);
        assert_eq!(
            growth.bytes_between(Some(15), 20),
            0,
            "too close for a mark"
        );
        assert_eq!(growth.index_before(300 * KB), Some(10));
    }

    /// Of a log that is opened each part is known, so that it can be purged and need not be covered by a snapshot again.
    #[test]
    fn an_opened_log_is_known_by_its_parts() {
        let mut growth = LogGrowth::default();
        for nth in 0..100_000 {
            growth.note_opened(Some(nth), KB);
        }
        assert_eq!(growth.appended_bytes(), 100_000 * KB);
        let near = |bytes: u64, exact: u64| bytes.abs_diff(exact) <= 100_000 / PART_OF_LOG;
        assert!(near(
            growth.bytes_between(Some(70_000), 99_999) / KB,
            29_999
        ));
        let old = growth.index_before(32_000 * KB).expect("a larger log");
        assert!(near(old, 67_999), "{old}");
    }

    /// A log of any length takes no more memory than that.
    #[test]
    fn the_oldest_marks_go() {
        let mut growth = LogGrowth::default();
        for nth in 0..2 * MARKS_MAX as u64 {
            growth.note(Some(nth), KB, PART_OF_LOG * KB);
        }
        assert_eq!(growth.marks.len(), MARKS_MAX);
        let newest = 2 * MARKS_MAX as u64 - 1;
        assert_eq!(growth.index_before(3 * KB), Some(newest - 3));
    }
}
