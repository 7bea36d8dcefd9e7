//! What was measured of each size.

use super::restart::Restart;
use crate::measure::figures::{Figures, median};
use serde::Serialize;

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Sizes {
    pub seconds: u64,
    pub clients: u32,
    pub sizes: Vec<Size>,
}

/// A registry of one size.
#[derive(Debug, Serialize)]
pub struct Size {
    pub services: u32,
    pub lookups: Vec<Lookups>,
    /// Of the largest node, at its peak, with its lookups.
    pub memory_mb: f64,
    /// After lookups: what was announced is in the log alone, unless it is much.
    pub after_lookups: Restart,
    /// After changes, as many as can be made.
    pub after_changes: Restart,
}

/// The same load on two, one after the other.
#[derive(Debug, Serialize)]
pub struct Lookups {
    pub quorate: Figures,
    pub limit: Figures,
}

impl Size {
    pub fn median(&self, of: impl Fn(&Lookups) -> f64) -> f64 {
        median(self.lookups.iter().map(of)).unwrap_or(f64::NAN)
    }

    /// What an answer has, in kilobytes.
    pub fn kb(&self) -> f64 {
        self.median(|lookups| lookups.quorate.bytes_per_answer as f64 / 1e3)
    }

    /// What a lookup takes of the time, with all clients at once, in microseconds.
    pub fn lookup_us(&self) -> f64 {
        self.median(|lookups| 1e6 / lookups.quorate.rate_per_second)
    }

    /// The same of the limit's.
    pub fn limit_us(&self) -> f64 {
        self.median(|lookups| 1e6 / lookups.limit.rate_per_second)
    }
}
