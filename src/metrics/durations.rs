//! The histograms of durations, which all have the same buckets.

use prometheus_client::metrics::histogram::Histogram;

/// Upper bounds of the buckets of all histograms, in seconds. The lowest is near the time that a
/// lookup takes, and the highest near the time after which a client gives up.
const BUCKETS_S: [f64; 12] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0,
];

/// Creates a histogram of durations in seconds.
pub fn durations() -> Histogram {
    Histogram::new(BUCKETS_S)
}
