//! Compares the slices of a load with and without security.

use super::figure::{FigureUnit, SecuredFigure};
use super::loads::{SecuredLoad, SecuredSide};
use crate::measure::figures::{Slice, TakenSlice};
use crate::measure::interval::Median;
use crate::report::goals::Bound;
use serde::Serialize;

/// One load, with its slices on all sides.
#[derive(Debug, Serialize)]
pub struct SecuredComparison {
    /// The description of the load.
    pub load: SecuredLoad,
    /// The slices, in the order in which they were measured.
    pub slices: Vec<TakenSlice<SecuredSide>>,
}

impl SecuredComparison {
    /// Returns the figures of the load: the ratio of the speeds, and the growth of the processor
    /// time if there is a goal for it.
    pub fn figures(&self) -> Vec<SecuredFigure> {
        let beside = match self.load.baseline {
            Some(_) => ", divided by the baseline's ratio",
            None => "",
        };
        let ratio = self.figure(
            format!("{}{beside}", self.load.compared),
            FigureUnit::Ratio,
            Bound::AtLeast(self.load.ratio_min),
            |round| self.ratio(round),
        );
        let growth = self.load.growth_max_us.map(|most_us| {
            self.figure(
                format!("{}: more processor time for each", self.load.compared),
                FigureUnit::Us,
                Bound::AtMost(most_us),
                |round| self.growth_us(round),
            )
        });
        std::iter::once(ratio).chain(growth).collect()
    }

    /// Makes a figure of the values of all rounds.
    fn figure(
        &self,
        name: String,
        unit: FigureUnit,
        goal: Bound,
        value_of: impl Fn(u32) -> Option<f64>,
    ) -> SecuredFigure {
        let rounds = self.slices.iter().map(|taken| taken.round).max();
        let rounds = rounds.unwrap_or(0);
        let values = (1..=rounds).filter_map(value_of);
        let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        SecuredFigure {
            name,
            unit,
            value: Median::of(&values),
            goal,
            is_complete: values.len() == rounds as usize && self.has_no_more_errors(),
        }
    }

    /// Returns the slice of one side in one round. Returns `None` if it failed.
    fn slice(&self, side: SecuredSide, round: u32) -> Option<&Slice> {
        let mut slices = self.slices.iter();
        let taken = slices.find(|taken| taken.side == side && taken.round == round)?;
        taken.slice.as_ref().ok()
    }

    fn rate(&self, side: SecuredSide, round: u32) -> Option<f64> {
        Some(self.slice(side, round)?.figures.rate_per_second)
    }

    /// Returns the ratio of the speeds with and without security in one round, divided by that of
    /// the baseline if the load has one.
    fn ratio(&self, round: u32) -> Option<f64> {
        let load = &self.load;
        let ratio = self.rate(load.secured, round)? / self.rate(load.plain, round)?;
        match load.baseline {
            None => Some(ratio),
            Some((secured, plain)) => {
                Some(ratio / (self.rate(secured, round)? / self.rate(plain, round)?))
            }
        }
    }

    /// Returns how much more processor time of all nodes each request took with security in one
    /// round, in microseconds.
    fn growth_us(&self, round: u32) -> Option<f64> {
        let took_us = |side| {
            let slice = self.slice(side, round)?;
            Some(slice.window_processor_s? * 1e6 / slice.figures.served as f64)
        };
        Some(took_us(self.load.secured)? - took_us(self.load.plain)?)
    }

    /// Returns whether no more requests failed with security than without it, on quorate and on the
    /// baseline.
    fn has_no_more_errors(&self) -> bool {
        let quorate = (self.load.secured, self.load.plain);
        let pairs = std::iter::once(quorate).chain(self.load.baseline);
        pairs
            .into_iter()
            .all(|(secured, plain)| self.errors(secured) <= self.errors(plain))
    }

    /// Returns the number of failed requests of one side, summed over its slices.
    fn errors(&self, side: SecuredSide) -> u64 {
        let slices = self.slices.iter().filter(|taken| taken.side == side);
        slices
            .filter_map(|taken| taken.slice.as_ref().ok())
            .flat_map(|slice| slice.figures.errors.values())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::figures::{Figures, Latency};
    use crate::secured::figure::SecuredVerdict;
    use crate::secured::loads::selected;
    use std::collections::BTreeMap;

    fn slice(rate: f64, processor_us: f64) -> Slice {
        let latency_ms = Latency {
            p50: 1.0,
            p99: 1.0,
            p99_9: 1.0,
            max: 1.0,
        };
        Slice {
            figures: Figures {
                served: 1_000,
                rate_per_second: rate,
                bytes_per_answer: 1,
                latency_ms,
                errors: BTreeMap::new(),
                measured_from_ms: Some(0),
            },
            processor_s: 9.0,
            window_processor_s: Some(processor_us * 1_000.0 / 1e6),
        }
    }

    /// Returns the slices of a load, of which each side has a speed, relative to the machine's, and
    /// a processor time in microseconds. The machine becomes slower from round to round.
    fn compared(load: &str, rounds: u32, sides: &[(SecuredSide, f64, f64)]) -> SecuredComparison {
        let loads = selected(&[load.to_owned()]).expect("a load");
        let mut slices = Vec::new();
        for round in 1..=rounds {
            let machine = 10_000.0 / f64::from(round);
            for (side, speed, processor_us) in sides {
                slices.push(TakenSlice {
                    round,
                    side: *side,
                    slice: Ok(slice(machine * speed, *processor_us)),
                });
            }
        }
        SecuredComparison {
            load: loads[0],
            slices,
        }
    }

    fn verdicts(compared: &SecuredComparison) -> Vec<SecuredVerdict> {
        let figures = compared.figures();
        figures.iter().map(SecuredFigure::verdict).collect()
    }

    /// Returns lookups with these speeds of quorate over HTTPS and of the baseline over HTTPS,
    /// relative to HTTP, and with this growth of the processor time.
    fn lookups(https: f64, baseline_https: f64, growth_us: f64) -> SecuredComparison {
        let sides = [
            (SecuredSide::Http, 0.8, 40.0),
            (SecuredSide::Https, 0.8 * https, 40.0 + growth_us),
            (SecuredSide::BaselineHttp, 1.0, 30.0),
            (SecuredSide::BaselineHttps, baseline_https, 90.0),
        ];
        compared("lookup-100", 10, &sides)
    }

    /// The ratio of lookups over HTTPS to those over HTTP is judged relative to the baseline's
    /// ratio. A ratio that is too low falls short, and so does too much more processor time.
    #[test]
    fn lookups_are_judged_beside_the_baseline() {
        use SecuredVerdict::{FallsShort, Holds};
        for (https, baseline_https, growth_us, expected) in [
            (0.6, 0.6, 20.0, [Holds, Holds]),
            (0.6, 0.7, 20.0, [FallsShort, Holds]),
            (0.9, 0.6, 20.0, [Holds, Holds]),
            (0.9, 1.0, 20.0, [FallsShort, Holds]),
            (0.6, 0.6, 26.0, [Holds, FallsShort]),
            (0.6, 0.6, -26.0, [Holds, Holds]),
        ] {
            let lookups = lookups(https, baseline_https, growth_us);
            assert_eq!(verdicts(&lookups), expected, "{https} {baseline_https}");
        }
        let figures = lookups(0.57, 0.6, 20.0).figures();
        let median = |figure: &SecuredFigure| figure.value.expect("enough slices").median;
        assert!((median(&figures[0]) - 0.95).abs() < 1e-9, "{figures:?}");
        assert!((median(&figures[1]) - 20.0).abs() < 1e-9, "{figures:?}");
    }

    /// The side with security is divided by the one without it, for each load without a baseline.
    #[test]
    fn ratios_have_security_above() {
        use SecuredSide::{Http, Https, PeersPlain, PeersTls, TokensOff, TokensRequired};
        for (load, plain, secured, least) in [
            ("renew-256", Http, Https, 0.85),
            ("renew-256-tokens", TokensOff, TokensRequired, 0.97),
            ("change-64", PeersPlain, PeersTls, 0.95),
            ("change-256", PeersPlain, PeersTls, 0.95),
        ] {
            for (ratio, verdict) in [
                (least - 0.01, SecuredVerdict::FallsShort),
                (least + 0.01, SecuredVerdict::Holds),
                (1.2, SecuredVerdict::Holds),
            ] {
                let sides = [(plain, 1.0, 1.0), (secured, ratio, 1.0)];
                let compared = compared(load, 6, &sides);
                assert_eq!(verdicts(&compared), [verdict], "{load} {ratio}");
            }
        }
    }

    /// A figure does not hold if a slice failed, if there are too few, if only the side with
    /// security had errors, or if the processor time of a slice is unknown.
    #[test]
    fn what_failed_is_not_compared() {
        use SecuredVerdict::{Holds, NotCompared};
        let good = || lookups(0.6, 0.6, 20.0);
        assert_eq!(verdicts(&good()), [Holds, Holds]);
        let mut few = good();
        few.slices.truncate(5 * 4);
        assert_eq!(verdicts(&few), [NotCompared, NotCompared]);
        let mut failed = good();
        failed.slices[3].slice = Err("a node ended".to_owned());
        assert_eq!(verdicts(&failed), [NotCompared, Holds]);
        let changed = |at: usize, change: fn(&mut Slice)| {
            let mut changed = good();
            change(changed.slices[at].slice.as_mut().expect("a slice"));
            verdicts(&changed)
        };
        let refuse = |slice: &mut Slice| {
            slice.figures.errors.insert("401".to_owned(), 1);
        };
        assert_eq!(changed(0, refuse), [Holds, Holds]);
        assert_eq!(changed(1, refuse), [NotCompared, NotCompared]);
        let forget = |slice: &mut Slice| slice.window_processor_s = None;
        assert_eq!(changed(1, forget), [Holds, NotCompared]);
    }
}
