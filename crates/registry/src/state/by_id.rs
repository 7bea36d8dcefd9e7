//! A merge of two sorted lists of services.

use crate::state::borrowed::BorrowedService;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::iter;

/// Iterates over two lists of services in the order of ids. Yields one pair for each id: the
/// service of the first list and the service of the second list that have this id. `None` stands
/// for a missing service. The number of steps is linear in the number of services.
///
/// Both lists must be sorted by id, like the services of an announcement.
pub(crate) fn by_id<'s, 'a: 's, S: Borrow<BorrowedService<'a>>>(
    mut one: &'s [S],
    mut other: &'s [S],
) -> impl Iterator<
    Item = (
        Option<&'s BorrowedService<'a>>,
        Option<&'s BorrowedService<'a>>,
    ),
> {
    iter::from_fn(move || {
        let firsts = (
            one.first().map(Borrow::borrow),
            other.first().map(Borrow::borrow),
        );
        let (takes_one, takes_other) = match firsts {
            (None, None) => return None,
            (Some(_), None) => (true, false),
            (None, Some(_)) => (false, true),
            (Some(first), Some(second)) => match first.id.cmp(second.id) {
                Ordering::Less => (true, false),
                Ordering::Equal => (true, true),
                Ordering::Greater => (false, true),
            },
        };
        one = &one[usize::from(takes_one)..];
        other = &other[usize::from(takes_other)..];
        Some((
            firsts.0.filter(|_| takes_one),
            firsts.1.filter(|_| takes_other),
        ))
    })
}
