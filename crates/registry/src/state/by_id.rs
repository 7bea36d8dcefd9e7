//! A merge of two sorted lists of services.

use crate::state::node_entry::BorrowedService;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::iter;

/// Iterates over two lists in the order of ids. Yields each id once, as a pair of the services with
/// this id in the first and in the second list; `None` stands for a service that a list does not
/// contain. The number of steps is linear in the number of services.
///
/// Both lists must be sorted by id, like those of an announcement.
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
