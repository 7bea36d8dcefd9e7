//! Calculations with the first and the last index of a log.

use crate::types::LogId;

/// Returns the index that follows a log id; 0 for `None`, which means an empty log.
pub(crate) fn next_index(id: Option<LogId>) -> u64 {
    id.map_or(0, |id| id.index + 1)
}

/// Returns the last log id of a log once it is truncated after `cut`. A `cut` past the end
/// truncates nothing.
pub(crate) fn kept_after(
    last: Option<LogId>,
    purged: Option<LogId>,
    cut: Option<LogId>,
) -> Option<LogId> {
    if next_index(cut) >= next_index(last) {
        last
    } else {
        cut.or(purged)
    }
}
