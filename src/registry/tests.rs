use super::*;
use crate::model::{Announcement, Lookup};

fn announce(node: &str, seen: u64) -> Command {
    let body = format!(
        r#"{{"environment":"test","pool":"general","services":[{{"id":"s-{node}","type":"presto","properties":{{"http":"http://{node}"}}}}]}}"#
    );
    Command::Announce {
        seen,
        announcement: Announcement::from_json(node, body.as_bytes(), "test").unwrap(),
    }
}

fn batch(commands: Vec<Command>) -> Batch {
    Batch {
        max_age_ms: 3_000,
        step_ms: 1_000,
        commands,
    }
}

/// An announcement is shown, survives a snapshot, and expires once its deadline is reached.
#[test]
fn announce_render_snapshot_expire() {
    let mut registry = Registry::new("test");
    registry.advance(0);
    assert_eq!(
        registry.apply(1, &batch(vec![announce("w1", 0)])),
        [Outcome::Applied]
    );
    let shown = registry.lookup(&Lookup::Type("presto".to_owned()));
    assert_eq!(
        std::str::from_utf8(&shown.json).unwrap(),
        concat!(
            r#"{"environment":"test","services":[{"id":"s-w1","nodeId":"w1","type":"presto","pool":"general","#,
            r#""location":"/somewhere/w1","properties":{"http":"http://w1"}}]}"#,
            "\n"
        )
    );
    let copy = Registry::from_snapshot(&registry.to_snapshot()).unwrap();
    assert_eq!(
        (copy.digest(), copy.recompute_digest()),
        (registry.digest(), registry.digest())
    );
    assert_eq!(copy.to_snapshot(), registry.to_snapshot());
    let tick = |n| Command::Tick {
        advance_ms: n,
        grace_ms: None,
    };
    assert_eq!(
        registry.apply(2, &batch(vec![tick(9_999); 3])),
        vec![Outcome::Expired(vec![]); 3]
    );
    assert_eq!(
        registry.apply(3, &batch(vec![tick(1_000)])),
        [Outcome::Expired(vec!["w1".to_owned()])]
    );
    assert!(registry.is_empty());
}
