//! Tests of the metrics of a running group.

use crate::support::cluster::FORM_LIMIT;
use crate::support::node::Node;
use crate::support::{Cluster, Options, http, until};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

fn scrape(node: &Node) -> String {
    let answer = http::request(node.address(), "GET", "/metrics", None, PATIENCE);
    let answer = answer.expect("the metrics need no quorum");
    assert_eq!(answer.status, 200);
    answer.body
}

/// Returns the value of a series, or `None` if there is no such series.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line?.parse().ok()
}

/// Each node shows the group, its disk and its process. A node without a quorum still answers, and
/// shows that it has no leader.
#[test]
fn the_metrics_show_the_group_and_need_no_quorum() {
    let mut cluster = Cluster::start(3, Options::default());
    cluster.nodes[0].announce_acked("w1", "trino", 1);
    let shows = |text: &str, expected: &[(&str, f64)]| {
        expected
            .iter()
            .all(|(series, number)| value(text, series) == Some(*number))
    };
    let whole = [
        ("quorate_ready", 1.0),
        ("quorate_has_leader", 1.0),
        ("quorate_voters", 3.0),
        ("quorate_failure_tolerance", 1.0),
    ];
    let mut leaders = 0.0;
    for node in &cluster.nodes {
        let text = until("the group is whole", FORM_LIMIT, || {
            let joined = |text: &str| value(text, "quorate_joins_total") >= Some(1.0);
            Some(scrape(node)).filter(|text| shows(text, &whole) && joined(text))
        });
        leaders += value(&text, "quorate_is_leader").expect("a gauge");
        for series in [
            "quorate_log_sync_duration_seconds_count",
            "quorate_database_sync_duration_seconds_count",
            "quorate_log_bytes",
            "quorate_disk_free_bytes",
            "quorate_disk_floor_bytes",
            "quorate_committed_index",
            "quorate_applied_index",
            r#"quorate_read_rounds_total{result="ok"}"#,
            "process_resident_memory_bytes",
            "process_start_time_seconds",
        ] {
            let positive = value(&text, series).is_some_and(|number| number > 0.0);
            assert!(positive, "{series}: {text}");
        }
    }
    assert_eq!(leaders, 1.0);
    let changes = |node: &Node| value(&scrape(node), "quorate_leader_changes_total");
    let leader = cluster.leader();
    let rest = [1, 2].map(|step| (leader + step) % 3);
    let before = rest.map(|at| changes(&cluster.nodes[at]));
    cluster.nodes[leader].kill9();
    for (at, before) in rest.into_iter().zip(before) {
        until("the new leader is counted", FORM_LIMIT, || {
            (changes(&cluster.nodes[at]) > before).then_some(())
        });
    }
    cluster.nodes[rest[1]].kill9();
    let alone = [
        ("quorate_ready", 0.0),
        ("quorate_has_leader", 0.0),
        ("quorate_voters", 3.0),
        ("quorate_failure_tolerance", 0.0),
    ];
    until("the loss is shown", FORM_LIMIT, || {
        shows(&scrape(&cluster.nodes[rest[0]]), &alone).then_some(())
    });
}
