//! Tests that no body blocks an entry point for long.

use quorate::clock;
use quorate_fuzz::TARGETS;
use quorate_fuzz::shapes::shapes;
use std::time::Duration;

/// Maximum time that a target takes for one body. The limit is about ten times the time of the
/// slowest target for the largest body. A quadratic comparison of services would take five times
/// the limit.
const DOOR_LIMIT: Duration = Duration::from_secs(5);

/// No target takes long for the largest body, whatever its shape.
#[test]
fn no_shape_of_a_body_holds_up_a_door() {
    let doors = TARGETS
        .iter()
        .filter(|target| ["announcement", "applied", "static_announcement"].contains(&target.name));
    for target in doors {
        for (name, body, _) in shapes() {
            let begun = clock::now();
            (target.run)(body.as_bytes());
            let took = begun.elapsed();
            println!("{} of {name}: {took:?}", target.name);
            assert!(took < DOOR_LIMIT, "{} of {name}: {took:?}", target.name);
        }
    }
}
