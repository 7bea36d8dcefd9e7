//! The counts and durations of the HTTP server.

use super::error::ApiError;
use crate::metrics::{Exposition, LabelSet, durations};
use axum::response::Response;
use http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use std::time::Duration;

/// The classes of status codes, by their first digit.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// A mark on the response to a lookup that was held. Its duration says nothing about this node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held;

/// A kind of request whose durations are measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestKind {
    Lookup,
    Announcement,
    Other,
}

/// A kind of write that clients ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteKind {
    /// An announcement that differs from the registered one.
    Announce,
    Renew,
    Withdraw,
    /// The addition or the removal of a static service.
    Static,
}

/// The reason why a client was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 401: the client has not proved who it is.
    Unauthenticated,
    /// 403, or an upgrade without the proof of a peer: the client has not the right.
    Forbidden,
    /// The connection began with something that this port does not serve, or its TLS handshake
    /// failed.
    Handshake,
    /// The limit of connections was reached.
    Connections,
}

/// The outcome of a write for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriteCount {
    Ok,
    /// Certainly not applied.
    Refused,
    /// Perhaps applied.
    Unknown,
}

/// The counts and durations of the HTTP server since its start.
#[derive(Debug)]
pub(super) struct HttpMetrics {
    requests: Family<LabelSet, Counter>,
    durations: Family<LabelSet, Histogram, fn() -> Histogram>,
    refusals: [Counter; 4],
    writes: [[Counter; 3]; 4],
    write: Histogram,
}

/// The counts of one route, and the durations of its kind.
#[derive(Debug, Clone)]
pub(super) struct RouteMetrics {
    by_class: [Counter; 5],
    duration: Histogram,
}

impl HttpMetrics {
    pub(super) fn new() -> HttpMetrics {
        HttpMetrics {
            requests: Family::default(),
            durations: Family::new_with_constructor(durations),
            refusals: Default::default(),
            writes: Default::default(),
            write: durations(),
        }
    }

    /// Returns the metrics of a route, named by its pattern.
    pub(super) fn route(&self, pattern: &str, kind: RequestKind) -> RouteMetrics {
        let by_class = CLASSES.map(|class| {
            let labels = vec![("route", pattern.to_owned()), ("code", class.to_owned())];
            self.requests.get_or_create_owned(&labels)
        });
        let kind = match kind {
            RequestKind::Lookup => "lookup",
            RequestKind::Announcement => "announcement",
            RequestKind::Other => "other",
        };
        let labels = vec![("kind", kind.to_owned())];
        RouteMetrics {
            by_class,
            duration: self.durations.get_or_create_owned(&labels),
        }
    }

    /// Counts a client that was refused.
    pub(super) fn count_refusal(&self, refusal: Refusal) {
        self.refusals[refusal as usize].inc();
    }

    /// Counts a write by its outcome. A failed check of the announcement itself, such as a limit,
    /// counts as refused.
    pub(super) fn count_write<T>(
        &self,
        kind: WriteKind,
        outcome: &Result<T, ApiError>,
        took: Duration,
    ) {
        let result = match outcome {
            Ok(_) => WriteCount::Ok,
            Err(ApiError::Unknown(_)) => WriteCount::Unknown,
            Err(_) => WriteCount::Refused,
        };
        self.writes[kind as usize][result as usize].inc();
        self.write.observe(took.as_secs_f64());
    }

    /// Adds the series to a scrape.
    pub(super) fn collect(&self, exposition: &mut Exposition) {
        exposition.metric(
            "quorate_http_requests",
            "Requests by route and class of the status code",
            self.requests.clone(),
        );
        exposition.metric(
            "quorate_http_request_duration_seconds",
            "Time from the head of a request to the head of its response, except for held lookups",
            self.durations.clone(),
        );
        let reasons = ["unauthenticated", "forbidden", "handshake", "connections"];
        exposition.counters(
            "quorate_refusals",
            "Requests and connections that this node refused",
            reasons
                .iter()
                .zip(&self.refusals)
                .map(|(reason, count)| (vec![("reason", (*reason).to_owned())], count.get())),
        );
        let kinds = ["announce", "renew", "withdraw", "static"]
            .iter()
            .zip(&self.writes);
        let writes = kinds.flat_map(|(kind, by_result)| {
            let results = ["ok", "refused", "unknown"].iter().zip(by_result);
            results.map(|(result, count)| {
                let labels = vec![
                    ("kind", (*kind).to_owned()),
                    ("result", (*result).to_owned()),
                ];
                (labels, count.get())
            })
        });
        exposition.counters(
            "quorate_writes",
            "Writes that clients sent to this node",
            writes,
        );
        exposition.metric(
            "quorate_write_duration_seconds",
            "Time from a complete request for a write to its outcome",
            self.write.clone(),
        );
    }
}

impl RouteMetrics {
    /// Counts a response that was ready after `took`.
    pub(super) fn count(&self, response: &Response, took: Duration) {
        let class = class_of(response.status());
        self.by_class[class].inc();
        if response.extensions().get::<Held>().is_none() {
            self.duration.observe(took.as_secs_f64());
        }
    }
}

/// Returns the position in [`CLASSES`] of a status code.
fn class_of(status: StatusCode) -> usize {
    let first = usize::from(status.as_u16() / 100);
    first.clamp(1, CLASSES.len()) - 1
}
