//! Tests of the order of coordinators.

use crate::model::{Announcement, CoordinatorQuery, Engine, Service};
use crate::{Batch, Command, NodeCounts, Registry};

/// Gives the services of random commands the types and properties of an engine.
pub(super) fn as_engines(batch: &mut Batch) {
    for command in &mut batch.commands {
        match command {
            Command::Announce { announcement, .. } => {
                let mut services = announcement.services.to_vec();
                for service in &mut services {
                    become_engine(&mut service.service_type, &mut service.properties);
                }
                announcement.services = services.into();
            }
            Command::AddStatic(service) => {
                let mut properties = service.properties.iter().to_map();
                become_engine(&mut service.service_type, &mut properties);
                service.properties = properties.into();
            }
            _ => {}
        }
    }
}

fn become_engine(
    service_type: &mut String,
    properties: &mut std::collections::BTreeMap<String, String>,
) {
    *service_type = match service_type.as_str() {
        "t0" => "trino-coordinator",
        "t1" => "trino",
        _ => "presto",
    }
    .to_owned();
    let says = properties.get("v").is_none_or(|value| value != "0");
    properties.insert(
        "coordinator".to_owned(),
        if says { "TRUE" } else { "no" }.to_owned(),
    );
    properties.insert("http".to_owned(), "http://h:1".to_owned());
}

fn coordinator(node_id: &str, run: &str, port: u16) -> Command {
    Command::Announce {
        seen: u64::MAX,
        announcement: Announcement {
            node_id: node_id.to_owned(),
            pool: "general".to_owned(),
            location: "/".to_owned(),
            services: vec![
                Service {
                    id: format!("of-run-{run}"),
                    service_type: "trino-coordinator".to_owned(),
                    properties: [("http".to_owned(), format!("http://h:{port}"))].into(),
                },
                Service {
                    id: format!("{node_id}-{port}"),
                    service_type: "jmx".to_owned(),
                    properties: Default::default(),
                },
            ]
            .into(),
        },
    }
}

struct EngineCluster {
    registry: Registry,
    index: u64,
}

impl EngineCluster {
    fn apply(&mut self, commands: Vec<Command>) {
        self.index += 1;
        let batch = Batch {
            max_age_ms: 30_000,
            step_ms: 1_000,
            commands,
        };
        self.registry.apply(self.index, &batch);
    }

    fn first(&self) -> Option<String> {
        let found = self.registry.coordinators(&CoordinatorQuery::default());
        Some(found.found.first()?.uri.clone())
    }
}

/// The coordinator that joined last comes first. A changed announcement of the same process does
/// not count as joining, but an announcement of a new process under the same node id does. The
/// address of the new process therefore comes before the address of a coordinator that started
/// earlier and may have been killed since.
#[test]
fn the_last_that_joined_is_first() {
    let mut cluster = EngineCluster {
        registry: Registry::new("test"),
        index: 0,
    };
    assert_eq!(cluster.first(), None);
    cluster.apply(vec![coordinator("a", "1", 1)]);
    cluster.apply(vec![coordinator("b", "2", 2)]);
    assert_eq!(cluster.first().as_deref(), Some("http://h:2"));
    cluster.apply(vec![coordinator("a", "1", 3)]);
    assert_eq!(
        cluster.first().as_deref(),
        Some("http://h:2"),
        "no new process"
    );
    cluster.apply(vec![coordinator("a", "2", 3)]);
    assert_eq!(
        cluster.first().as_deref(),
        Some("http://h:2"),
        "nodes of the first release know nothing of processes"
    );
    cluster.apply(vec![Command::Level(2)]);
    cluster.apply(vec![coordinator("a", "3", 4)]);
    assert_eq!(
        cluster.first().as_deref(),
        Some("http://h:4"),
        "another process"
    );
    // `x` and `y` join with one entry. The greater node id comes first, so that all nodes agree.
    cluster.apply(vec![coordinator("y", "4", 5), coordinator("x", "5", 6)]);
    assert_eq!(cluster.first().as_deref(), Some("http://h:5"));
}

/// External addresses are preferred to internal ones, and a coordinator without a usable address is
/// reported separately.
#[test]
fn the_external_address_is_preferred() {
    type Properties = &'static [(&'static str, &'static str)];
    let cases: [(Properties, Option<&str>); 6] = [
        (
            &[("http", "http://in:1"), ("http-external", "http://out:1")],
            Some("http://out:1"),
        ),
        (
            &[
                ("http-external", "http://out:1"),
                ("https-external", "https://out:2"),
            ],
            Some("https://out:2"),
        ),
        (
            &[("http", "http://in:1"), ("https", "https://in:2/")],
            Some("https://in:2"),
        ),
        (&[("thrift", "in:1")], None),
        (
            &[
                ("http-external", ""),
                ("https", "10.0.0.5:8080"),
                ("http", "http://in:1"),
            ],
            Some("http://in:1"),
        ),
        (
            &[
                ("https-external", "javascript:alert(1)"),
                ("http-external", "http://a\nhttp://b"),
                ("https", "https:///x"),
                ("http", "not a url"),
            ],
            None,
        ),
    ];
    for (properties, uri) in cases {
        let mut registry = Registry::new("test");
        let service = Service {
            id: "i".to_owned(),
            service_type: "presto-coordinator".to_owned(),
            properties: properties
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let announcement = Announcement {
            node_id: "c".to_owned(),
            pool: "general".to_owned(),
            location: "/".to_owned(),
            services: vec![service].into(),
        };
        let batch = Batch {
            max_age_ms: 1,
            step_ms: 1,
            commands: vec![Command::Announce {
                seen: 0,
                announcement,
            }],
        };
        registry.apply(1, &batch);
        let found = registry.coordinators(&CoordinatorQuery::default());
        let first = found.found.first();
        assert_eq!(first.map(|found| found.uri.as_str()), uri);
        assert_eq!(found.unusable.len(), usize::from(uri.is_none()));
    }
}

/// Joins, replacements, withdrawals and expirations are counted once each. Renewals, and
/// withdrawals of absent nodes, are not. A node that is a coordinator in two ways is one.
#[test]
fn nodes_are_counted() {
    let mut cluster = EngineCluster {
        registry: Registry::new("test"),
        index: 0,
    };
    let withdraw = |node_id: &str| Command::Withdraw {
        seen: u64::MAX,
        node_id: node_id.to_owned(),
    };
    let Command::Announce {
        seen,
        mut announcement,
    } = coordinator("twice", "1", 1)
    else {
        unreachable!("it is an announcement");
    };
    let mut services = announcement.services.to_vec();
    services.push(Service {
        id: "engine".to_owned(),
        service_type: "trino".to_owned(),
        properties: [("coordinator".to_owned(), "true".to_owned())].into(),
    });
    announcement.services = services.into();
    cluster.apply(vec![Command::Announce { seen, announcement }]);
    for port in [2, 2, 3] {
        cluster.apply(vec![coordinator("a", "1", port)]);
    }
    assert_eq!(cluster.registry.coordinator_nodes(Engine::Trino), 2);
    assert_eq!(cluster.registry.coordinator_nodes(Engine::Presto), 0);
    cluster.apply(vec![withdraw("a")]);
    cluster.apply(vec![withdraw("a")]);
    for _ in 0..40 {
        cluster.apply(vec![Command::Tick {
            advance_ms: 1_000,
            grace_ms: None,
        }]);
    }
    let counts = NodeCounts {
        joined: 2,
        replaced: 1,
        withdrawn: 1,
        expired: 1,
    };
    assert_eq!(cluster.registry.node_counts(), counts);
    assert_eq!(cluster.registry.coordinator_nodes(Engine::Trino), 0);
}
