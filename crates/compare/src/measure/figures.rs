//! What one load came to.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// As `quorate bench --json` prints it, and the load on etcd.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Figures {
    /// Requests that were served.
    pub served: u64,
    /// Answers a second.
    pub rate_per_second: f64,
    /// What an answer's body has.
    pub bytes_per_answer: u64,
    /// From the sending, or from when it should have been.
    pub latency_ms: Latency,
    /// How often each went wrong.
    pub errors: BTreeMap<String, u64>,
}

/// Quantiles, in milliseconds.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub max: f64,
}

/// One load on one peer: what its clients saw, and what its nodes took for it.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// What the clients saw.
    pub figures: Figures,
    /// Processor time of all nodes together, in seconds: while it lasted, and for the announcements before and after it.
    pub processor_s: f64,
    /// Processor time that those at rest beside them took meanwhile, in seconds.
    pub others_s: f64,
    /// Whether those had come to rest before it.
    pub others_at_rest: bool,
    /// Resident memory of the largest node, at its peak since its start, in megabytes.
    pub memory_mb: f64,
}

/// One short load on one build, of many in turn with those on another.
#[derive(Debug, Clone, Serialize)]
pub struct Slice {
    /// What the clients saw.
    pub figures: Figures,
    /// Processor time of all nodes together, in seconds.
    pub processor_s: f64,
}

/// A number of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Answers a second.
    Rate,
    /// The median latency in milliseconds.
    P50,
    /// Of a hundred requests the slowest, in milliseconds.
    P99,
    /// Seconds of processor time.
    Processor,
    /// Megabytes of the largest node, at most so far.
    Memory,
    /// Requests that were not served.
    Errors,
}

impl Measured {
    /// One of its numbers.
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

/// The middle one, or the mean of the two in the middle; none of none.
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
