//! The results for a registry of each size, and the figures computed from them.

use super::restart::Restart;
use crate::measure::figures::{Figures, median};
use serde::Serialize;

/// The results for all sizes.
#[derive(Debug, Serialize)]
pub struct Sizes {
    pub seconds: u64,
    pub clients: u32,
    pub sizes: Vec<Size>,
}

/// The results for a registry of one size.
#[derive(Debug, Serialize)]
pub struct Size {
    pub services: u32,
    pub lookups: Vec<Lookups>,
    /// Peak memory of the largest node during the lookups, in megabytes.
    pub memory_mb: f64,
    /// The restart after the lookups. At that time, the announcements are only in the write-ahead
    /// log, unless the registry is so large that a snapshot was taken.
    pub after_lookups: Restart,
    /// The restart after a load of changes, in which each client sent its next change as soon as
    /// the previous change was answered.
    pub after_changes: Restart,
}

/// The results of the same load on quorate and on the baseline, one after the other.
#[derive(Debug, Serialize)]
pub struct Lookups {
    pub quorate: Figures,
    #[serde(rename = "limit")]
    pub baseline: Figures,
}

impl Size {
    pub fn median(&self, of: impl Fn(&Lookups) -> f64) -> f64 {
        median(self.lookups.iter().map(of)).unwrap_or(f64::NAN)
    }

    /// Returns the size of a response, in kilobytes.
    pub fn kb(&self) -> f64 {
        self.median(|lookups| lookups.quorate.bytes_per_answer as f64 / 1e3)
    }

    /// Returns quorate's time per lookup, in microseconds. It is the inverse of the rate of all
    /// clients together.
    pub fn lookup_us(&self) -> f64 {
        self.median(|lookups| 1e6 / lookups.quorate.rate_per_second)
    }

    /// Returns the baseline's time per lookup, in microseconds.
    pub fn baseline_us(&self) -> f64 {
        self.median(|lookups| 1e6 / lookups.baseline.rate_per_second)
    }
}
