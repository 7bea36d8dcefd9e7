use super::{LogView, TAIL_BYTES_MAX};
use crate::types::{Entry, LogId, TypeConfig};
use openraft::entry::EntryPayload;
use openraft::vote::RaftLeaderId;

fn id(term: u64, index: u64) -> LogId {
    LogId::new(
        openraft::type_config::alias::LeaderIdOf::<TypeConfig>::new(term, 1).to_committed(),
        index,
    )
}

fn push(view: &mut LogView, term: u64, bytes: usize, sequence: u64) {
    let entry = Entry {
        log_id: id(term, view.next_index()),
        payload: EntryPayload::Blank,
    };
    view.append(entry, bytes, sequence);
}

/// An entry stays in memory until the append that added the entry is on disk. An older, truncated
/// entry of the same index on disk does not count.
#[test]
fn an_entry_is_not_given_up_for_an_older_one_of_its_index() {
    let mut view = LogView::default();
    push(&mut view, 1, 100, 1);
    push(&mut view, 1, 100, 2);
    view.truncate_after(Some(id(1, 0)));
    push(&mut view, 2, TAIL_BYTES_MAX, 3);
    view.flushed(2);
    let plan = view.plan(0..10, usize::MAX);
    assert_eq!(
        plan.on_disk,
        0..1,
        "the first entry is on disk and the tail was too large"
    );
    assert_eq!(plan.cached[0].0.log_id, id(2, 1));
    view.flushed(3);
    assert_eq!(
        view.plan(0..10, usize::MAX).on_disk,
        0..1,
        "a tail within its limit stays"
    );
    push(&mut view, 2, 1, 4);
    view.flushed(4);
    assert_eq!(view.plan(0..10, usize::MAX).on_disk, 0..2);
}

/// A read returns neither purged nor truncated entries, and a truncation past the end changes
/// nothing.
#[test]
fn a_read_sees_what_the_log_holds() {
    let mut view = LogView::default();
    for sequence in 0..10 {
        push(&mut view, 1, 10, sequence);
    }
    view.purge(id(1, 3));
    view.truncate_after(Some(id(1, 7)));
    view.truncate_after(Some(id(1, 9)));
    let indexes = |view: &LogView, max| -> Vec<u64> {
        let plan = view.plan(0..u64::MAX, max);
        assert!(plan.on_disk.is_empty());
        plan.cached.iter().map(|(e, _)| e.log_id.index).collect()
    };
    assert_eq!(indexes(&view, usize::MAX), [4, 5, 6, 7]);
    assert_eq!(indexes(&view, 25), [4, 5]);
    assert_eq!(indexes(&view, 1), [4]);
    view.purge(id(5, 50));
    assert_eq!((view.last, view.next_index()), (Some(id(5, 50)), 51));
    assert_eq!(indexes(&view, usize::MAX), [0; 0]);
    push(&mut view, 5, 10, 20);
    assert_eq!(indexes(&view, usize::MAX), [51]);
    view.truncate_after(None);
    assert_eq!(view.last, Some(id(5, 50)));
}
