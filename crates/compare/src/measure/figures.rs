//! The figures of one load: rates, latencies, errors, processor time and memory.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The results of a load generator. `quorate bench --json` prints them, and so does the load
/// generator for etcd.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Figures {
    /// Number of requests that were answered successfully.
    pub served: u64,
    /// Number of responses per second.
    pub rate_per_second: f64,
    /// Mean size of a response body, in bytes.
    pub bytes_per_answer: u64,
    /// Latencies of the responses. A latency begins when the request was sent or, for a load at a
    /// given rate, when the request was due.
    pub latency_ms: Latency,
    /// Number of failed requests by error.
    pub errors: BTreeMap<String, u64>,
    /// The time at which the measurement began, in milliseconds since 1970. The load generator for
    /// etcd does not report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured_from_ms: Option<u64>,
}

/// Quantiles of a latency, in milliseconds.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub max: f64,
}

/// The results of one load on one server: the clients' figures, and the resources that the server's
/// nodes used.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// The figures of the clients.
    pub figures: Figures,
    /// Processor time of all nodes together, in seconds. It includes the time for announcing the
    /// services before the load and for withdrawing them after it.
    pub processor_s: f64,
    /// Processor time that the other servers, which should be at rest, used during this load, in
    /// seconds.
    pub others_s: f64,
    /// Whether the other servers had come to rest before this load began.
    pub others_at_rest: bool,
    /// Peak resident memory of the largest node since its start, in megabytes.
    pub memory_mb: f64,
}

/// The results of one short load on one build. Slices of different builds alternate.
#[derive(Debug, Clone, Serialize)]
pub struct Slice {
    /// The figures of the clients.
    pub figures: Figures,
    /// Processor time of all nodes together, in seconds. It includes the time for announcing the
    /// services before the load, for opening its connections, and for withdrawing the services.
    pub processor_s: f64,
    /// Processor time of all nodes together while the requests of `figures` were sent, in seconds.
    /// `None` if it is unknown when that was, or on systems without /proc.
    pub window_processor_s: Option<f64>,
}

/// One slice of a load on one side of a comparison.
#[derive(Debug, Serialize)]
pub struct TakenSlice<S> {
    /// The number of the round, counted from 1. Slices of one round are compared with each other.
    pub round: u32,
    /// The side on which the slice was measured.
    pub side: S,
    /// The figures, or the reason why the slice failed.
    pub slice: Result<Slice, String>,
}

/// The name of one of the figures in [`Measured`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Responses per second.
    Rate,
    /// The median latency, in milliseconds.
    P50,
    /// The 99th percentile of the latency, in milliseconds.
    P99,
    /// Processor time, in seconds.
    Processor,
    /// Peak memory of the largest node since its start, in megabytes.
    Memory,
    /// Number of requests that were not served.
    Errors,
}

impl Measured {
    /// Returns one of the figures as a number.
    pub fn get(&self, figure: Figure) -> f64 {
        let figures = &self.figures;
        match figure {
            Figure::Rate => figures.rate_per_second,
            Figure::P50 => figures.latency_ms.p50,
            Figure::P99 => figures.latency_ms.p99,
            Figure::Processor => self.processor_s,
            Figure::Memory => self.memory_mb,
            Figure::Errors => figures.errors.values().sum::<u64>() as f64,
        }
    }
}

/// Returns the median: the middle value, or the mean of the two middle values. Returns `None` if
/// there are no values.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
