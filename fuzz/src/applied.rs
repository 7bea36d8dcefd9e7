//! A target that applies the announcement of a body to a registry, changes the announcement and
//! withdraws it.

use quorate::model::{Announcement, Lookup, Service};
use quorate::registry::{Batch, Command, LEVEL, Outcome, Registry};

const NODE: &str = "node";

/// Applies the announcement of a body and variations: other ids, types, pools and locations, and
/// fewer services. Applies them at the lowest feature level of commands, which has no limits, and
/// again at the highest level.
pub(crate) fn applied(body: &[u8]) {
    let Ok(announcement) = Announcement::from_json(NODE, body, "test") else {
        return;
    };
    let mut registry = Registry::new("test");
    apply(&mut registry, announce(announcement.clone()));
    for changed in changes(&announcement) {
        let outcome = apply(&mut registry, announce(changed));
        assert_eq!(outcome, Outcome::Applied);
        check(&registry);
    }
    apply(&mut registry, Command::Level(LEVEL));
    check(&registry);
    for changed in changes(&announcement) {
        let outcome = apply(&mut registry, announce(changed));
        assert!(matches!(outcome, Outcome::Applied | Outcome::OverLimit));
    }
    check(&registry);
    let withdrawal = Command::Withdraw {
        seen: u64::MAX,
        node_id: NODE.to_owned(),
    };
    assert_eq!(apply(&mut registry, withdrawal), Outcome::Applied);
    assert_eq!((registry.services(), registry.counted_bytes()), (0, 0));
}

fn announce(announcement: Announcement) -> Command {
    Command::Announce {
        seen: u64::MAX,
        announcement,
    }
}

/// Returns variations of an announcement, and the announcement itself.
fn changes(announcement: &Announcement) -> [Announcement; 5] {
    let services = || announcement.services.to_vec().into_iter();
    let with = |services: Vec<Service>| Announcement {
        services: services.into(),
        ..announcement.clone()
    };
    let renamed = services().map(|service| Service {
        id: format!("{}x", service.id),
        ..service
    });
    let moved = services().map(|service| Service {
        service_type: format!("{}x", service.service_type),
        ..service
    });
    let elsewhere = Announcement {
        pool: format!("{}x", announcement.pool),
        location: String::new(),
        ..announcement.clone()
    };
    [
        with(renamed.collect()),
        with(moved.collect()),
        elsewhere,
        with(services().step_by(2).collect()),
        announcement.clone(),
    ]
}

fn apply(registry: &mut Registry, command: Command) -> Outcome {
    let batch = Batch {
        max_age_ms: 30_000,
        step_ms: 500,
        commands: vec![command],
    };
    let outcome = registry
        .apply(registry.applied_index() + 1, &batch)
        .remove(0);
    for change in registry.take_changes() {
        for list in [change.removed, change.services] {
            let json = [b"[", &list[..], b"]"].concat();
            serde_json::from_slice::<Vec<serde_json::Value>>(&json).expect("an event is JSON");
        }
    }
    outcome
}

/// Checks that the digest is right, that lookups render, and that a snapshot restores the state.
fn check(registry: &Registry) {
    assert_eq!(registry.digest(), registry.recompute_digest());
    registry.lookup(&Lookup::All).gzip();
    let copy = Registry::from_snapshot(&registry.to_snapshot()).expect("its own snapshot");
    assert_eq!(copy.digest(), registry.digest());
    assert_eq!(copy.counted_bytes(), registry.counted_bytes());
}
