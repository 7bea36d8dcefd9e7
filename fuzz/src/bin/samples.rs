//! Writes the initial samples of the corpora of binary inputs to the given folder.

use quorate::model::{Announcement, Service, StaticService};
use quorate::registry::{Arrival, Batch, Command, LEVEL, Leadership, Registry, Tail};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let root = PathBuf::from(std::env::args_os().nth(1).expect("a folder"));
    let mut registry = Registry::new("test");
    let mut snapshots = vec![registry.image().to_bytes()];
    for (index, command) in (1..).zip(commands()) {
        let batch = Batch {
            max_age_ms: 30_000,
            step_ms: 1_000,
            commands: vec![command],
        };
        registry.apply(index, &batch);
        snapshots.push(registry.image().to_bytes());
    }
    for (target, samples) in [
        ("snapshot", snapshots),
        (
            "log_record",
            quorate::raft::fuzzing::log_record_samples(commands()),
        ),
        (
            "log_frame",
            quorate::raft::fuzzing::log_frame_samples(commands()),
        ),
        (
            "peer_message",
            quorate::raft::fuzzing::peer_message_samples(commands()),
        ),
    ] {
        std::fs::create_dir_all(root.join(target))?;
        for (nth, sample) in samples.iter().enumerate() {
            std::fs::write(root.join(target).join(format!("sample-{nth}")), sample)?;
        }
    }
    Ok(())
}

fn commands() -> Vec<Command> {
    let properties = |coordinator: &str| -> BTreeMap<String, String> {
        [
            ("http", "http://10.0.0.9:8080"),
            ("coordinator", coordinator),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    };
    let announcement = |node_id: &str, id: &str| Announcement {
        node_id: node_id.to_owned(),
        pool: "general".to_owned(),
        location: format!("/{node_id}"),
        services: vec![Service {
            id: id.to_owned(),
            service_type: "presto".to_owned(),
            properties: properties("true"),
        }]
        .into(),
    };
    let arrival = Arrival {
        committed: 2,
        tail: Some(Tail {
            leadership: Leadership { term: 1, node: 1 },
            index: 3,
        }),
        previous: Some(1),
        until_ms: Some(5_000),
    };
    vec![
        Command::Announce {
            seen: 0,
            announcement: announcement("w1", "s1"),
        },
        Command::Announce {
            seen: 0,
            announcement: announcement("w2", "s2"),
        },
        Command::AddStatic(StaticService {
            id: "x".to_owned(),
            service_type: "metastore".to_owned(),
            pool: "general".to_owned(),
            location: "/x".to_owned(),
            properties: properties("false").into(),
        }),
        Command::Tick {
            advance_ms: 500,
            grace_ms: None,
        },
        Command::Withdraw {
            seen: 2,
            node_id: "w1".to_owned(),
        },
        Command::RemoveStatic { id: "x".to_owned() },
        Command::OrderedAnnounce {
            arrival,
            announcement: announcement("w3", "s3"),
        },
        Command::OrderedRenew {
            arrival,
            node_id: "w3".to_owned(),
            digest: announcement("w3", "s3").digest(),
        },
        Command::OrderedWithdraw {
            arrival,
            node_id: "w3".to_owned(),
        },
        Command::Level(LEVEL),
    ]
}
