use super::*;

fn change(index: u64, service_type: &str, pool: &str) -> Change {
    Change {
        service_type: service_type.to_owned(),
        pool: pool.to_owned(),
        index,
        removed: Vec::new(),
        services: format!("{{\"id\":\"{index}\"}}").into_bytes(),
    }
}

fn of_type(service_type: &str) -> Lookup {
    Lookup::Type(service_type.to_owned())
}

fn indexes(changes: &ChangeHistory, lookup: &Lookup, since: u64) -> Option<Vec<u64>> {
    let later = changes.since(lookup, since)?;
    Some(later.iter().map(|change| change.index).collect())
}

/// A reader gets the changes after its index, in order, and only those of its own lookup.
#[test]
fn the_later_changes_of_a_lookup_are_given() {
    let changes = ChangeHistory::starting_at(10);
    changes.keep(&[change(11, "presto", "a")]);
    changes.keep(&[change(12, "trino", "a")]);
    changes.keep(&[change(13, "presto", "b")]);
    assert_eq!(
        indexes(&changes, &of_type("presto"), 10),
        Some(vec![11, 13])
    );
    assert_eq!(indexes(&changes, &of_type("presto"), 11), Some(vec![13]));
    let in_pool = Lookup::TypeAndPool("presto".to_owned(), "a".to_owned());
    assert_eq!(indexes(&changes, &in_pool, 10), Some(vec![11]));
    assert_eq!(indexes(&changes, &of_type("never"), 10), Some(vec![]));
}

/// Changes that one entry makes in two pools are one change of the type. Otherwise a reader that
/// disconnects between the two changes could not say which change it has seen.
#[test]
fn one_entry_is_one_change() {
    let changes = ChangeHistory::starting_at(0);
    changes.keep(&[change(5, "presto", "a"), change(5, "presto", "b")]);
    let given = changes.since(&of_type("presto"), 0).expect("all is there");
    assert_eq!(given.len(), 1);
    assert_eq!(
        given[0].json,
        r#"{"removed":[],"services":[{"id":"5"},{"id":"5"}]}"#.as_bytes()
    );
    let again = changes.since(&of_type("presto"), 0).expect("all is there");
    assert_eq!(
        again[0].json.as_ptr(),
        given[0].json.as_ptr(),
        "it is shared"
    );
}

/// `since` returns `None` instead of an incomplete list. A list would be incomplete before the
/// start of the history, after changes were dropped at a limit, and after a snapshot replaced the
/// state.
#[test]
fn what_is_gone_is_said() {
    let changes = ChangeHistory::starting_at(10);
    assert_eq!(indexes(&changes, &of_type("presto"), 9), None);
    let last = 10 + MAX_CHANGES as u64 + 5;
    for index in 11..=last {
        changes.keep(&[change(index, "presto", "a")]);
    }
    assert_eq!(indexes(&changes, &of_type("presto"), 14), None);
    let kept = indexes(&changes, &of_type("presto"), 15).expect("all is there");
    assert_eq!((kept.len(), kept.first()), (MAX_CHANGES, Some(&16)));
    let changes = Arc::new(changes);
    changes.start_over(last + 100);
    assert_eq!(indexes(&changes, &of_type("presto"), last), None);
    assert_eq!(
        indexes(&changes, &of_type("presto"), last + 100),
        Some(vec![])
    );
}

/// Large changes are limited by their total size, long before their number reaches its limit.
#[test]
fn large_changes_are_bounded_by_their_bytes() {
    let changes = ChangeHistory::starting_at(0);
    let large = vec![b'x'; 1 << 20];
    for index in 1..=100 {
        changes.keep(&[Change {
            services: large.clone(),
            ..change(index, "presto", "a")
        }]);
    }
    let kept = lock(&changes.0);
    assert!(kept.bytes <= MAX_CHANGES_BYTES);
    assert_eq!(kept.order.len(), kept.by_type["presto"].len());
    assert!((1..100).contains(&kept.order.len()));
    assert_eq!(kept.floor, 100 - kept.order.len() as u64);
}

/// A lookup has a channel while it has subscribers. The subscribers are notified only of changes of
/// this lookup.
#[tokio::test]
async fn subscriptions_wake_and_go() {
    let changes = Arc::new(ChangeHistory::starting_at(0));
    let mut presto = changes.subscribe(&of_type("presto"));
    let other = changes.subscribe(&of_type("presto"));
    let mut trino = changes.subscribe(&of_type("trino"));
    changes.notify(&[change(1, "presto", "a")]);
    presto.changed().await;
    let none = futures_util::FutureExt::now_or_never(trino.changed());
    assert_eq!(none, None, "another type woke it");
    changes.start_over(5);
    trino.changed().await;
    drop((presto, trino));
    assert_eq!(lock(&changes.0).channels.len(), 1);
    drop(other);
    assert!(lock(&changes.0).channels.is_empty());
}
