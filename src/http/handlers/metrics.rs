//! `/metrics`: the time series of this node, for Prometheus. The response needs no quorum.

use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::request::content_negotiation::prefers_openmetrics;
use crate::http::state::{App, AppState, deadline};
use crate::metrics::{Exposition, Format, LabelSet, ProcessSample};
use crate::raft::{GroupSample, NodeSample, Role, Status};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use tokio::time::timeout_at;

/// The path of the metrics.
pub(in crate::http) const METRICS_PATH: &str = "/metrics";

/// Handles `GET /metrics`: always responds 200, in OpenMetrics if the client prefers it to the text
/// format of Prometheus.
pub(in crate::http) async fn metrics<D: Backend>(
    State(app): State<App<D>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let format = match prefers_openmetrics(&headers) {
        true => Format::OpenMetrics,
        false => Format::Prometheus,
    };
    // One scrape at a time, so that many of them do not take the time of other requests.
    let Ok(_turn) = timeout_at(deadline(), app.scrapes.lock()).await else {
        let reason = "too many scrapes are waiting on this node";
        return Err(ApiError::Unavailable(reason.to_owned()));
    };
    let sample = app.backend.sample().await;
    // With many descriptors, the system takes milliseconds to list them.
    let process = tokio::task::spawn_blocking(ProcessSample::read).await;
    let mut exposition = Exposition::default();
    of_node(&mut exposition, &sample, app.backend.ready().is_ok());
    if let Some(group) = &sample.group {
        of_group(&mut exposition, group);
    }
    of_disk(&mut exposition, &sample);
    of_server(&mut exposition, &app);
    if let Ok(process) = process {
        process.collect(&mut exposition);
    }
    let text = exposition
        .text(format)
        .map_err(|error| ApiError::Internal(error.to_string()))?;
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static(format.content_type()),
        ),
        (VARY, HeaderValue::from_static("Accept")),
    ];
    Ok((headers, text).into_response())
}

fn flag(is_true: bool) -> f64 {
    f64::from(u8::from(is_true))
}

/// Adds what the status of the node says.
fn of_node(exposition: &mut Exposition, sample: &NodeSample, is_ready: bool) {
    let status = &sample.status;
    let level = sample.group.as_ref().map_or(0, |group| group.level);
    let build: LabelSet = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("level", level.to_string()),
    ];
    exposition.gauges(
        "quorate_build_info",
        "Release of this node and feature level of the group",
        [(build, 1.0)],
    );
    let voters = status.members.iter().filter(|member| member.is_voter());
    for (name, help, value) in [
        (
            "quorate_ready",
            "Whether this node is a voter and serves lookups",
            flag(is_ready),
        ),
        (
            "quorate_has_leader",
            "Whether this node serves reads through a leader",
            flag(status.leader.is_some()),
        ),
        (
            "quorate_is_leader",
            "Whether this node leads the group",
            flag(status.role == Role::Leader),
        ),
        ("quorate_term", "Raft term of this node", status.term as f64),
        (
            "quorate_voters",
            "Voters of the group",
            voters.count() as f64,
        ),
        (
            "quorate_failure_tolerance",
            "Voters that may still fail before the group has no quorum",
            status.failure_tolerance.unwrap_or(0) as f64,
        ),
        (
            "quorate_applied_index",
            "Index of the last log entry that this node applied",
            status.applied as f64,
        ),
        (
            "quorate_services",
            "Services in this node's registry, static ones included",
            status.services as f64,
        ),
    ] {
        exposition.gauge(name, help, value);
    }
    of_members(exposition, status);
}

/// Adds a series for each member.
fn of_members(exposition: &mut Exposition, status: &Status) {
    let label = |node: &str| vec![("member", node.to_owned())];
    let members = || status.members.iter();
    exposition.gauges(
        "quorate_member_reachable",
        "Whether the member has answered this node within 1.6 s",
        members().map(|member| (label(&member.node), flag(member.reachable))),
    );
    exposition.gauges(
        "quorate_member_lag_entries",
        "Log entries by which the member is behind the most advanced member",
        members().map(|member| (label(&member.node), member.lag as f64)),
    );
}

/// Adds the values of the group.
fn of_group(exposition: &mut Exposition, group: &GroupSample) {
    for (name, help, value) in [
        (
            "quorate_committed_index",
            "Index of the last log entry that this node knows to be committed",
            group.committed_index.unwrap_or(0) as f64,
        ),
        ("quorate_nodes", "Announced nodes", group.nodes as f64),
        (
            "quorate_grace_seconds",
            "Time for which no announcement expires, because the group had no leader",
            group.grace_left_ms as f64 / 1e3,
        ),
        (
            "quorate_writes_waiting",
            "Writes that wait on this node",
            group.writes_waiting as f64,
        ),
    ] {
        exposition.gauge(name, help, value);
    }
    exposition.gauges(
        "quorate_coordinators",
        "Announced coordinators of each engine",
        group
            .coordinators
            .iter()
            .map(|(engine, count)| (vec![("engine", (*engine).to_owned())], *count as f64)),
    );
    let counts = &group.node_counts;
    for (name, help, value) in [
        (
            "quorate_leader_changes",
            "Leaderships that this node has seen, after the first",
            group.leaders.saturating_sub(1),
        ),
        (
            "quorate_joins",
            "Nodes that were announced while they were not registered",
            counts.joined,
        ),
        (
            "quorate_replacements",
            "Announcements that replaced another one of the same node",
            counts.replaced,
        ),
        (
            "quorate_withdrawals",
            "Nodes that were withdrawn",
            counts.withdrawn,
        ),
        (
            "quorate_expirations",
            "Nodes that have not renewed their announcement in time",
            counts.expired,
        ),
    ] {
        exposition.counter(name, help, value);
    }
    let result = |name: &str| vec![("result", name.to_owned())];
    exposition.counters(
        "quorate_read_rounds",
        "Rounds in which this node confirmed reads with the leader",
        [
            (result("ok"), group.read_rounds),
            (result("failed"), group.failed_read_rounds),
        ],
    );
}

/// Adds the sizes of the log and of the free space.
fn of_disk(exposition: &mut Exposition, sample: &NodeSample) {
    exposition.gauge(
        "quorate_log_bytes",
        "Size of the records in the log",
        sample.log_bytes as f64,
    );
    if let Some(bytes) = sample.snapshot_bytes {
        exposition.gauge(
            "quorate_snapshot_bytes",
            "Size of the newest snapshot",
            bytes as f64,
        );
    }
    if let Some(disk) = &sample.disk {
        exposition.gauge(
            "quorate_disk_free_bytes",
            "Free space for the data directory",
            disk.free_bytes as f64,
        );
        exposition.gauge(
            "quorate_disk_floor_bytes",
            "Free space below which no writes are accepted",
            disk.floor_bytes as f64,
        );
    }
}

/// Adds the counts and durations of the HTTP server and of the disk.
fn of_server<D: Backend>(exposition: &mut Exposition, app: &AppState<D>) {
    app.settings.disk.collect(exposition);
    app.metrics.collect(exposition);
    exposition.counter(
        "quorate_stalls",
        "Times that this process was suspended so long that it no longer trusted open connections",
        app.pause_detector.epoch(),
    );
    if let Some(usage) = app.settings.usage.read() {
        for (name, help, value) in [
            (
                "quorate_http_connections",
                "Open connections",
                usage.connections,
            ),
            (
                "quorate_http_connections_limit",
                "Limit of open connections",
                usage.connections_max,
            ),
            (
                "quorate_http_held_lookups",
                "Lookups that are held until their result changes",
                usage.held_lookups,
            ),
            (
                "quorate_http_watchers",
                "Clients that watch, or wait for an index",
                usage.watchers,
            ),
        ] {
            exposition.gauge(name, help, value as f64);
        }
    }
}
