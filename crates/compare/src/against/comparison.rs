//! Compares the slices of two builds. For each load, computes the verdict and the ratio of the
//! builds' speeds.

use crate::measure::figures::{Slice, TakenSlice, median};
use crate::measure::interval::Median;
use crate::measure::tasks::Task;
use serde::Serialize;
use std::fmt::Write;

/// A load is a loss if the whole confidence interval of the ratio new speed / old speed is below
/// this value.
pub const LOSS_BELOW: f64 = 0.98;

/// The three servers that run side by side in a comparison: the two builds and the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The build of this tree.
    New,
    /// The build that this tree is compared with (`--against`).
    Old,
    /// The baseline: an axum server that returns the same bytes and replicates nothing.
    #[serde(rename = "limit")]
    Baseline,
}

/// One load, with its slices on all sides.
#[derive(Debug, Serialize)]
pub struct Load {
    /// The description of the load.
    pub task: Task,
    /// The slices, in the order in which they were measured.
    pub slices: Vec<TakenSlice<Side>>,
}

/// The verdict on one load: whether the new build is slower than the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadVerdict {
    /// The confidence interval of the ratio is not entirely below [`LOSS_BELOW`].
    NoLoss,
    /// The confidence interval of the ratio is entirely below [`LOSS_BELOW`]: the new build is
    /// slower.
    Loss,
    /// A slice failed, more requests failed on the new build than on the old one, or there are too
    /// few slices for an interval.
    NotCompared,
}

impl Load {
    /// Returns the figure by which builds are compared: the requests per second or, for a load at a
    /// given rate, the requests per second of processor time. More is better.
    fn speed(&self, slice: &Slice) -> f64 {
        match self.task.rate {
            None => slice.figures.rate_per_second,
            Some(_) => slice.figures.served as f64 / slice.processor_s,
        }
    }

    /// Returns the speed of one side in one round, or `None` if the side was not measured in that
    /// round.
    fn of(&self, side: Side, round: u32) -> Option<f64> {
        let taken = self
            .slices
            .iter()
            .find(|taken| taken.side == side && taken.round == round)?;
        Some(self.speed(taken.slice.as_ref().ok()?))
    }

    /// Returns, for each round in which both sides were measured, the speed of `of` divided by the
    /// speed of `to`.
    fn ratios(&self, of: Side, to: Side) -> Vec<f64> {
        let rounds = self.slices.iter().map(|taken| taken.round).max();
        (1..=rounds.unwrap_or(0))
            .filter_map(|round| Some(self.of(of, round)? / self.of(to, round)?))
            .filter(|ratio| ratio.is_finite())
            .collect()
    }

    /// Returns the median, over all rounds, of the new build's speed divided by the old build's,
    /// with its confidence interval.
    pub fn ratio(&self) -> Option<Median> {
        Median::of(&self.ratios(Side::New, Side::Old))
    }

    /// Returns the median speed of one side over its slices.
    fn median_speed(&self, side: Side) -> Option<f64> {
        let speeds = self.slices.iter().filter(|taken| taken.side == side);
        median(speeds.filter_map(|taken| Some(self.speed(taken.slice.as_ref().ok()?))))
    }

    /// Returns the number of failed requests of one side, summed over its slices.
    fn errors(&self, side: Side) -> u64 {
        let slices = self.slices.iter().filter(|taken| taken.side == side);
        slices
            .filter_map(|taken| taken.slice.as_ref().ok())
            .flat_map(|slice| slice.figures.errors.values())
            .sum()
    }

    /// Judges the load by the confidence interval of the ratio of the builds' speeds. A loss is
    /// reported even if slices failed.
    pub fn verdict(&self) -> LoadVerdict {
        let failed = self.slices.iter().any(|taken| taken.slice.is_err());
        match self.ratio() {
            Some(ratio) if ratio.high < LOSS_BELOW => LoadVerdict::Loss,
            Some(_) if !failed && self.errors(Side::New) <= self.errors(Side::Old) => {
                LoadVerdict::NoLoss
            }
            _ => LoadVerdict::NotCompared,
        }
    }

    fn row(&self) -> String {
        let number = |value: Option<f64>| match value {
            None => "failed".to_owned(),
            Some(value) if value >= 100.0 => format!("{value:.0}"),
            Some(value) => format!("{value:.2}"),
        };
        let ratio = match self.ratio() {
            Some(Median { low, median, high }) => format!("{median:.3} ({low:.3} to {high:.3})"),
            None => "none".to_owned(),
        };
        let verdict = match self.verdict() {
            LoadVerdict::NoLoss => "no loss",
            LoadVerdict::Loss => "**loss**",
            LoadVerdict::NotCompared => "**not compared**",
        };
        format!(
            "| {} | {} | {} | {} | {ratio} | {} | {} and {} | {verdict} |",
            self.task.name,
            match self.task.rate {
                None => "per second",
                Some(_) => "per second of processor time",
            },
            number(self.median_speed(Side::New)),
            number(self.median_speed(Side::Old)),
            number(median(self.ratios(Side::New, Side::Baseline))),
            self.errors(Side::New),
            self.errors(Side::Old),
        )
    }
}

/// Returns the table of all loads, in Markdown.
pub fn table(loads: &[Load]) -> String {
    let mut text =
        "| load | requests | new | old | new / old (95 %) | new / baseline | errors | |\n\
                    |---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for load in loads {
        let _ = writeln!(text, "{}", load.row());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::figures::{Figures, Latency};
    use crate::measure::tasks::TASKS;
    use std::collections::BTreeMap;

    fn slice(rate: f64, errors: u64) -> Slice {
        let latency_ms = Latency {
            p50: 1.0,
            p99: 1.0,
            p99_9: 1.0,
            max: 1.0,
        };
        Slice {
            figures: Figures {
                served: 100,
                rate_per_second: rate,
                bytes_per_answer: 1,
                latency_ms,
                errors: BTreeMap::from([("503".to_owned(), errors)]),
                measured_from_ms: None,
            },
            processor_s: 100.0 / rate,
            window_processor_s: None,
        }
    }

    /// Returns a load with this many rounds. The machine becomes slower from round to round, and
    /// the ratio of the builds is `ratio`, plus or minus a hundredth.
    fn load(ratio: f64, rounds: u32) -> Load {
        let mut slices = Vec::new();
        for round in 1..=rounds {
            let machine = 1_000.0 / f64::from(round);
            let jitter = 1.0 + (f64::from(round % 3) - 1.0) / 100.0;
            for (side, rate) in [
                (Side::New, machine * ratio * jitter),
                (Side::Old, machine),
                (Side::Baseline, machine * 2.0),
            ] {
                let slice = Ok(slice(rate, 0));
                slices.push(TakenSlice { round, side, slice });
            }
        }
        Load {
            task: TASKS[0],
            slices,
        }
    }

    /// A loss of 5 % is detected although the machine's speed changes by a factor of twenty during
    /// the measurement. Equal builds have no loss.
    #[test]
    fn a_slower_build_is_a_loss() {
        assert_eq!(load(1.0, 20).verdict(), LoadVerdict::NoLoss);
        assert_eq!(load(0.985, 20).verdict(), LoadVerdict::NoLoss);
        assert_eq!(load(0.95, 20).verdict(), LoadVerdict::Loss);
        let text = table(&[load(0.95, 20)]);
        assert!(text.contains("| 0.950 (0.94"), "{text}");
        assert!(text.contains("| **loss** |"), "{text}");
    }

    /// Builds under a load at a given rate are compared by their processor time.
    #[test]
    fn a_paced_load_is_judged_by_processor_time() {
        let paced = Task {
            rate: Some(50),
            ..TASKS[0]
        };
        for (ratio, verdict) in [(1.0, LoadVerdict::NoLoss), (0.9, LoadVerdict::Loss)] {
            let mut load = load(ratio, 10);
            load.task = paced;
            assert_eq!(load.verdict(), verdict);
        }
    }

    /// The verdict on equal builds is `NotCompared`, not `NoLoss`, in three cases: a slice failed,
    /// only the new build had errors, or there are too few slices.
    #[test]
    fn what_failed_is_not_compared() {
        assert_eq!(load(1.0, 5).verdict(), LoadVerdict::NotCompared);
        let mut failed = load(1.0, 10);
        failed.slices[3].slice = Err("a node ended".to_owned());
        assert_eq!(failed.verdict(), LoadVerdict::NotCompared);
        let mut refused = load(1.0, 10);
        refused.slices[0].slice = Ok(slice(1_000.0, 3));
        assert_eq!(refused.verdict(), LoadVerdict::NotCompared);
    }
}
