//! Tests that no entry takes long to apply, regardless of what a node announces.

use quorate::clock;
use quorate::model::Announcement;
use quorate::registry::{Batch, Command, Registry};
use quorate_costs::{RegistryShape, announced, apply, batch, many_services};
use std::time::Duration;

/// Number of services that fit in a body of 1 MB.
const SERVICES: usize = 27_000;
/// Maximum time to apply an entry: about ten times the usual time on an idle machine, and a fifth
/// of the time that a quadratic comparison of services would take.
const LIMIT: Duration = Duration::from_secs(1);

fn withdrawn() -> Batch {
    batch(vec![Command::Withdraw {
        seen: u64::MAX,
        node_id: "w1".to_owned(),
    }])
}

/// An entry with many services is applied quickly. The lowest feature level of commands does not
/// limit the number of services, so a log of that level may contain any number.
#[test]
fn an_entry_of_many_services_is_applied_in_a_moment() {
    let put = |prefix, shape| announced(many_services(prefix, SERVICES, shape));
    let moved = Announcement {
        location: "/elsewhere".to_owned(),
        ..many_services("a", SERVICES, RegistryShape::OneType)
    };
    let steps = [
        ("services", put("a", RegistryShape::OneType)),
        ("others", put("b", RegistryShape::OneType)),
        ("a type each", put("b", RegistryShape::TypeEach)),
        ("others with a type each", put("c", RegistryShape::TypeEach)),
        ("a property", put("c", RegistryShape::Versioned(1))),
        ("another value", put("c", RegistryShape::Versioned(2))),
        ("a place", announced(moved)),
        (
            "fewer",
            announced(many_services("a", SERVICES / 2, RegistryShape::OneType)),
        ),
        (
            "none",
            announced(many_services("a", 0, RegistryShape::OneType)),
        ),
        ("all again", put("a", RegistryShape::TypeEach)),
        ("withdrawn", withdrawn()),
    ];
    let mut registry = Registry::new("test");
    for (what, entry) in steps {
        let begun = clock::now();
        apply(&mut registry, &entry);
        let took = begun.elapsed();
        println!("{what}: {took:?}");
        assert!(took < LIMIT, "{what}: {took:?}");
    }
    assert_eq!(registry.services(), 0);
}
