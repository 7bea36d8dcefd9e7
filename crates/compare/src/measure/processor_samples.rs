//! Samples the processor time of processes during a load, to find what they used during the part of
//! it that is measured.
//!
//! A load generator announces services before it measures, opens its connections, and withdraws the
//! services at the end. In a short slice, these parts use a good share of the processor time.

use super::usage::processor_s;
use quorate::clock::wall_ms;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Interval between two samples, a fortieth of the usual slice.
const SAMPLED_EVERY: Duration = Duration::from_millis(20);

/// The processor time that processes had used in total at some times of a load.
pub struct ProcessorSamples(Vec<ProcessorSample>);

struct ProcessorSample {
    at_ms: f64,
    processor_s: f64,
}

impl ProcessorSample {
    fn take(pids: &[u32]) -> ProcessorSample {
        ProcessorSample {
            at_ms: wall_ms() as f64,
            processor_s: processor_s(pids),
        }
    }
}

impl ProcessorSamples {
    /// Runs a load, and samples the processor time of these processes from its beginning to its
    /// end.
    pub async fn during<T>(pids: &[u32], load: impl Future<Output = T>) -> (T, ProcessorSamples) {
        let mut samples = Vec::new();
        let mut pace = interval(SAMPLED_EVERY);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(load);
        let done = loop {
            tokio::select! {
                done = &mut load => break done,
                _ = pace.tick() => samples.push(ProcessorSample::take(pids)),
            }
        };
        samples.push(ProcessorSample::take(pids));
        (done, ProcessorSamples(samples))
    }

    /// Returns the processor time that was used from a time to the end of a duration, in seconds.
    /// The time is in milliseconds since 1970. Returns `None` if the samples do not cover this, or
    /// if no processor time was used, as on systems without /proc.
    pub fn used_s(&self, from_ms: u64, lasts: Duration) -> Option<f64> {
        let from_ms = from_ms as f64;
        let to_ms = from_ms + lasts.as_secs_f64() * 1_000.0;
        let used_s = self.total_s(to_ms)? - self.total_s(from_ms)?;
        (used_s > 0.0).then_some(used_s)
    }

    /// Returns the processor time used in total until a time, between the two samples around it.
    fn total_s(&self, at_ms: f64) -> Option<f64> {
        let after = self.0.partition_point(|sample| sample.at_ms < at_ms);
        let next = self.0.get(after)?;
        if next.at_ms == at_ms {
            return Some(next.processor_s);
        }
        let last = self.0.get(after.checked_sub(1)?)?;
        let share = (at_ms - last.at_ms) / (next.at_ms - last.at_ms);
        Some(last.processor_s + share * (next.processor_s - last.processor_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only the processor time between the two times counts, in parts of the samples around them.
    #[test]
    fn only_the_window_counts() {
        let sample = |(at_ms, processor_s)| ProcessorSample { at_ms, processor_s };
        let samples = [
            (1_000.0, 5.0),
            (1_020.0, 5.5),
            (1_100.0, 6.0),
            (1_200.0, 9.0),
        ];
        let samples = ProcessorSamples(samples.map(sample).into());
        let used_s = |from_ms, lasts_ms| samples.used_s(from_ms, Duration::from_millis(lasts_ms));
        assert_eq!(used_s(1_000, 200), Some(4.0));
        assert_eq!(used_s(1_020, 80), Some(0.5));
        assert_eq!(used_s(1_010, 140), Some(7.5 - 5.25));
        assert_eq!(used_s(999, 10), None);
        assert_eq!(used_s(1_010, 191), None);
        assert_eq!(used_s(1_010, 0), None);
    }
}
