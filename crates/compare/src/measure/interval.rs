//! The median of a sample, and its confidence interval from the binomial distribution.

/// Probability that the interval does not contain the true median. Each end of the interval may
/// miss the median with half of this probability.
const MISSES: f64 = 0.05;

/// A median with its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Median {
    /// The lower end of the interval.
    pub low: f64,
    /// The median of the sample.
    pub median: f64,
    /// The upper end of the interval.
    pub high: f64,
}

impl Median {
    /// Computes the median of a sample and its confidence interval, which lies between two values
    /// of the sample.
    ///
    /// The interval is valid for any distribution, because the number of values below the true
    /// median is binomial with p = 1/2. Returns `None` for a sample of fewer than six values, since
    /// no interval reaches 95 %.
    pub fn of(sample: &[f64]) -> Option<Median> {
        let mut sorted = sample.to_vec();
        sorted.sort_by(f64::total_cmp);
        let cut = values_cut(sorted.len())?;
        Some(Median {
            low: sorted[cut],
            median: crate::measure::figures::median(sample.iter().copied())?,
            high: sorted[sorted.len() - 1 - cut],
        })
    }
}

/// Returns the number of values that can be cut off at each end of a sorted sample. The interval
/// between the remaining extremes still contains the true median in at least 95 % of all samples.
fn values_cut(count: usize) -> Option<usize> {
    let mut cut = None;
    // P(exactly k of `count` values are below the median), for k = 0, 1, ...
    let mut exactly = 0.5_f64.powi(i32::try_from(count).ok()?);
    let mut at_most = exactly;
    for k in 0..count / 2 {
        if at_most > MISSES / 2.0 {
            break;
        }
        cut = Some(k);
        exactly *= (count - k) as f64 / (k + 1) as f64;
        at_most += exactly;
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranks of the interval's ends equal those in the table for the 95 % interval of a median
    /// (Conover, Practical Nonparametric Statistics): n = 6: 1 and 6; 10: 2 and 9; 15: 4 and 12;
    /// 25: 8 and 18.
    #[test]
    fn ranks_are_those_of_the_table() {
        for (count, rank) in [(6, 1), (8, 1), (9, 2), (10, 2), (15, 4), (20, 6), (25, 8)] {
            assert_eq!(values_cut(count), Some(rank - 1), "{count} values");
        }
        assert!((0..6).all(|count| values_cut(count).is_none()));
    }

    #[test]
    fn an_interval_lies_around_its_median() {
        let sample: Vec<f64> = (1..=15).rev().map(f64::from).collect();
        let expected = Median {
            low: 4.0,
            median: 8.0,
            high: 12.0,
        };
        assert_eq!(Median::of(&sample), Some(expected));
        assert_eq!(Median::of(&sample[..5]), None);
    }
}
