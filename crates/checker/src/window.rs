//! Measurements of time: gaps between writes, times to the first answer, percentiles.

use crate::history::{Operation, RequestOutcome};
use std::collections::BTreeMap;

/// A span of time, in nanoseconds of the history's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The beginning of the span.
    pub from_ns: u64,
    /// The end of the span.
    pub to_ns: u64,
}

impl Window {
    /// Returns the longest time within the window without an acknowledged change, in nanoseconds.
    /// The edges of the window count as acknowledgements, so the result is the whole window if no
    /// change was acknowledged. An answer counts at the time at which it was read.
    #[must_use]
    pub fn longest_write_gap_ns(self, history: &[Operation]) -> u64 {
        let acked = history
            .iter()
            .filter(|operation| operation.outcome == RequestOutcome::Acked);
        self.longest_gap_ns(acked.filter_map(|operation| operation.return_ns))
    }

    /// Returns the longest span within the window that contains none of the given times. The times
    /// may be in any order. The edges of the window count as given times.
    #[must_use]
    pub fn longest_gap_ns(self, times_ns: impl IntoIterator<Item = u64>) -> u64 {
        let mut times_ns: Vec<u64> = times_ns
            .into_iter()
            .filter(|time_ns| self.contains(*time_ns))
            .chain([self.from_ns, self.to_ns])
            .collect();
        times_ns.sort_unstable();
        let gaps = times_ns.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.max().unwrap_or(0)
    }

    /// Returns, for each server, the time from the beginning of the window to the server's first
    /// successful answer to a lookup, in nanoseconds. Only lookups that were called within the
    /// window count. A server without such lookups is omitted. The time is `None` if no successful
    /// answer came before the end of the window.
    #[must_use]
    pub fn first_lookups_ns(self, history: &[Operation]) -> BTreeMap<u32, Option<u64>> {
        let mut first: BTreeMap<u32, Option<u64>> = BTreeMap::new();
        for operation in history {
            if operation.is_write() || !self.contains(operation.call_ns) {
                continue;
            }
            let first = first.entry(operation.server).or_default();
            let served_ns = operation
                .return_ns
                .filter(|return_ns| operation.succeeded() && self.contains(*return_ns));
            if let Some(served_ns) = served_ns {
                let after_ns = served_ns - self.from_ns;
                *first = Some(first.map_or(after_ns, |least| least.min(after_ns)));
            }
        }
        first
    }

    /// Returns the number of 2xx answers read within the window, divided by the length of the
    /// window in seconds.
    #[must_use]
    pub fn answers_per_second(self, history: &[Operation]) -> f64 {
        let answers = history
            .iter()
            .filter(|operation| operation.succeeded())
            .filter_map(|operation| operation.return_ns)
            .filter(|return_ns| self.contains(*return_ns))
            .count();
        let window_ns = self.to_ns.saturating_sub(self.from_ns).max(1);
        answers as f64 * 1e9 / window_ns as f64
    }

    /// Whether a time is in the window, edges included.
    #[must_use]
    pub fn contains(self, time_ns: u64) -> bool {
        (self.from_ns..=self.to_ns).contains(&time_ns)
    }
}

/// A summary of some values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Number of values.
    pub count: usize,
    /// Median: half of the values do not exceed this value.
    pub p50: u64,
    /// 99th percentile: 99 of 100 values do not exceed this value.
    pub p99: u64,
    /// Maximum: no value exceeds this value.
    pub max: u64,
}

impl Summary {
    /// Summarizes values in any order and unit. Returns `None` if there are no values.
    #[must_use]
    pub fn of(mut values: Vec<u64>) -> Option<Self> {
        values.sort_unstable();
        Some(Self {
            count: values.len(),
            p50: percentile(&values, 50)?,
            p99: percentile(&values, 99)?,
            max: *values.last()?,
        })
    }
}

/// Returns a percentile of sorted values, by the nearest-rank method: the least value that
/// `percent` of 100 values do not exceed. The result is one of the values, never interpolated.
/// Returns `None` if there are no values.
///
/// `percent` is at most 100.
#[must_use]
pub fn percentile(sorted: &[u64], percent: u32) -> Option<u64> {
    let rank = (sorted.len() * percent as usize).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}
