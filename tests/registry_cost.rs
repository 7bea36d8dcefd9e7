//! What a large registry costs. Ignored by default, since figures depend on the machine; to print them:
//! `cargo test --release --test registry_cost -- --ignored --nocapture`

use quorate::clock;
use quorate::model::{Announcement, Lookup};
use quorate::registry::{Batch, Command, Outcome, Registry};
use std::time::Duration;

const NODES: usize = 100_000;
/// As many commands as one entry may gather under load.
const BATCH: usize = 64;
/// What 100,000 services may take, their rendered lookups included.
const MOST_BYTES: u64 = 200 << 20;

fn announcement(i: usize, version: usize) -> Announcement {
    let body = format!(
        r#"{{"environment":"test","pool":"general","location":"/rack-{}/w{i}","services":[{{
            "id":"00000000-0000-4000-8000-{i:012}","type":"presto","properties":{{"node_version":"0.{version}",
            "coordinator":"false","http":"http://10.0.{}.{}:8080","connectorIds":"tpch,hive,iceberg"}}}}]}}"#,
        i % 40,
        i / 256 % 256,
        i % 256,
    );
    Announcement::from_json(
        &format!("11111111-0000-4000-8000-{i:012}"),
        body.as_bytes(),
        "test",
    )
    .unwrap()
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

fn timed<T>(what: &str, count: usize, work: impl FnOnce() -> T) -> T {
    let start = clock::now();
    let value = work();
    let took: Duration = start.elapsed();
    println!("{what}: {took:.1?}, {:.2?} each", took / count as u32);
    value
}

fn apply(registry: &mut Registry, mut commands: impl Iterator<Item = Command>) {
    loop {
        let commands: Vec<Command> = commands.by_ref().take(BATCH).collect();
        if commands.is_empty() {
            return;
        }
        let index = registry.applied_index() + 1;
        let batch = Batch {
            max_age_ms: 30_000,
            step_ms: 1_000,
            commands,
        };
        let refused = [Outcome::NotHeld, Outcome::Overtaken, Outcome::Full];
        assert!(
            registry
                .apply(index, &batch)
                .iter()
                .all(|outcome| !refused.contains(outcome))
        );
    }
}

/// 100,000 services with all three lookups rendered fit in 200 MB, and each command costs microseconds.
#[test]
#[ignore = "prints figures, and takes a while"]
fn a_hundred_thousand_services() {
    let before = resident_bytes();
    let grown_mb = || resident_bytes().saturating_sub(before) >> 20;
    let mut registry = Registry::new("test");
    let announce = |version| {
        (0..NODES).map(move |i| Command::Announce {
            seen: u64::MAX,
            announcement: announcement(i, version),
        })
    };
    timed("parse only", NODES, || announce(1).for_each(drop));
    timed("parse and announce", NODES, || {
        apply(&mut registry, announce(1))
    });
    println!("held: {} MB", grown_mb());
    let pool = Lookup::TypeAndPool("presto".to_owned(), "general".to_owned());
    let lookups = [Lookup::All, Lookup::Type("presto".to_owned()), pool];
    let shown = timed("render three lookups", 3 * NODES, || {
        lookups.clone().map(|lookup| registry.lookup(&lookup))
    });
    println!(
        "one lookup: {} MB; held and rendered: {} MB",
        shown[0].json.len() >> 20,
        grown_mb()
    );
    assert!(resident_bytes() - before < MOST_BYTES);
    timed("look up again", 3, || {
        lookups.clone().map(|lookup| registry.lookup(&lookup))
    });
    timed("gzip", NODES, || shown[0].gzip());
    drop(shown);

    let digests: Vec<(String, u128)> = registry
        .nodes()
        .map(|(node, held)| (node.to_owned(), held.digest))
        .collect();
    let renew = digests.iter().map(|(node, digest)| Command::Renew {
        seen: 0,
        node_id: node.clone(),
        digest: *digest,
    });
    timed("renew", NODES, || apply(&mut registry, renew));
    timed("parse and announce a change", NODES, || {
        apply(&mut registry, announce(2))
    });
    timed("digest", 1, || registry.digest());
    timed("digest anew", NODES, || registry.recompute_digest());
    let image = timed("image", NODES, || registry.image());
    let bytes = timed("image to bytes", NODES, || image.to_bytes());
    println!("snapshot: {} MB", bytes.len() >> 20);
    let copy = timed("from snapshot", NODES, || {
        Registry::from_snapshot(&bytes).unwrap()
    });
    assert_eq!(copy.digest(), registry.digest());
    let ticks = (0..62).map(|_| Command::Tick {
        advance_ms: 500,
        grace_ms: None,
    });
    timed("expire all", NODES, || apply(&mut registry, ticks));
    assert!(registry.is_empty());
}
