//! Where a log begins and ends.

use crate::storage::types::LogId;

/// The index after a log id's; 0 after none.
pub(crate) fn next_index(id: Option<LogId>) -> u64 {
    id.map_or(0, |id| id.index + 1)
}

/// The end of a log that is cut after `cut`: an id past the end cuts nothing.
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
