//! The results for each size of a registry.

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
    /// Restart after the lookups. The announcements are in the log alone, unless the registry is
    /// large.
    pub after_lookups: Restart,
    /// Restart after changes at the maximum rate.
    pub after_changes: Restart,
}

/// The same load on both servers, one after the other.
#[derive(Debug, Serialize)]
pub struct Lookups {
    pub quorate: Figures,
    pub limit: Figures,
}

impl Size {
    pub fn median(&self, of: impl Fn(&Lookups) -> f64) -> f64 {
        median(self.lookups.iter().map(of)).unwrap_or(f64::NAN)
    }

    /// Returns the size of a response, in kilobytes.
    pub fn kb(&self) -> f64 {
        self.median(|lookups| lookups.quorate.bytes_per_answer as f64 / 1e3)
    }

    /// Returns the time per lookup with all clients at once (the inverse of their total rate), in
    /// microseconds.
    pub fn lookup_us(&self) -> f64 {
        self.median(|lookups| 1e6 / lookups.quorate.rate_per_second)
    }

    /// Returns the time per lookup of the limit, in microseconds.
    pub fn limit_us(&self) -> f64 {
        self.median(|lookups| 1e6 / lookups.limit.rate_per_second)
    }
}
