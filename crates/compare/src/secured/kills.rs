//! Compares how long writes stop after the leader is killed, with and without TLS between nodes.

use super::clusters::peers_tls;
use super::figure::{FigureUnit, SecuredFigure};
use crate::gaps;
use crate::measure::interval::Median;
use crate::nodes::{Ending, Nodes};
use crate::report::goals::Bound;
use anyhow::Context;
use serde::Serialize;
use std::path::Path;

/// Number of concurrent writers, as in `gaps` by default.
const WRITERS: u32 = 16;
/// Maximum of the difference that TLS may make, in milliseconds.
const MORE_MS_MAX: f64 = 50.0;

/// The times without writes after each kill of a leader, on both clusters. After a cluster has
/// failed, no more leaders are killed, and `failed` is the reason.
#[derive(Debug, Default, Serialize)]
pub struct LeaderKills {
    plain_ms: Vec<f64>,
    tls_ms: Vec<f64>,
    failed: Option<String>,
}

impl LeaderKills {
    /// Starts both clusters, and kills the leader of each in turn, `kills` times. Each turn begins
    /// with the other cluster.
    ///
    /// # Errors
    /// Fails if a cluster does not start. A later failure is part of the result.
    pub async fn measure(program: &Path, dir: &Path, kills: u32) -> anyhow::Result<LeaderKills> {
        let mut measured = LeaderKills::default();
        let plain = Nodes::start_with(program, &dir.join("gaps-plain"), "").await;
        let tls = Nodes::start_with(program, &dir.join("gaps-tls"), &peers_tls()).await;
        let plain = plain.context("nodes without TLS")?;
        let mut clusters = [(false, plain), (true, tls.context("nodes with TLS")?)];
        for kill in 1..=kills {
            for (is_tls, nodes) in &mut clusters {
                match gaps::measure(nodes, Ending::Killed, WRITERS).await {
                    Ok(gap) => {
                        let gap_ms = gap.as_micros() as f64 / 1_000.0;
                        eprintln!("kill {kill} of {kills}: TLS {is_tls}: {gap_ms:.0} ms");
                        match is_tls {
                            true => measured.tls_ms.push(gap_ms),
                            false => measured.plain_ms.push(gap_ms),
                        }
                    }
                    Err(why) => {
                        let why = format!("kill {kill}, TLS {is_tls}: {why:#}");
                        eprintln!("{why}");
                        measured.failed = Some(why);
                        return Ok(measured);
                    }
                }
            }
            clusters.rotate_left(1);
        }
        Ok(measured)
    }

    /// Returns the difference of the two medians. Its interval reaches from the smallest to the
    /// largest difference of two values in their intervals, so it is wider than necessary.
    pub fn figure(&self) -> SecuredFigure {
        let medians = (Median::of(&self.tls_ms), Median::of(&self.plain_ms));
        let value = match medians {
            (Some(tls), Some(plain)) => Some(Median {
                low: tls.low - plain.high,
                median: tls.median - plain.median,
                high: tls.high - plain.low,
            }),
            _ => None,
        };
        SecuredFigure {
            name: "writes stop after a killed leader, nodes with TLS − without".to_owned(),
            unit: FigureUnit::Ms,
            value,
            goal: Bound::AtMost(MORE_MS_MAX),
            is_complete: self.failed.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secured::figure::SecuredVerdict;

    /// Returns the gaps of eight kills, each of these lengths or a little more.
    fn kills(plain_ms: f64, tls_ms: f64) -> LeaderKills {
        let around = |ms: f64| (0..8).map(|more| ms + f64::from(more)).collect();
        LeaderKills {
            plain_ms: around(plain_ms),
            tls_ms: around(tls_ms),
            failed: None,
        }
    }

    /// A longer gap with TLS falls short, and a shorter one does not.
    #[test]
    fn longer_gaps_with_tls_fall_short() {
        for (plain_ms, tls_ms, verdict) in [
            (900.0, 900.0, SecuredVerdict::Holds),
            (900.0, 950.0, SecuredVerdict::Holds),
            (900.0, 951.0, SecuredVerdict::FallsShort),
            (951.0, 900.0, SecuredVerdict::Holds),
        ] {
            let figure = kills(plain_ms, tls_ms).figure();
            assert_eq!(figure.verdict(), verdict, "{plain_ms} {tls_ms}");
        }
        let value = kills(900.0, 920.0).figure().value.expect("enough kills");
        assert_eq!((value.low, value.median, value.high), (13.0, 20.0, 27.0));
    }

    /// A cluster that failed, or too few kills, are not compared.
    #[test]
    fn failed_kills_are_not_compared() {
        let mut failed = kills(900.0, 900.0);
        failed.failed = Some("no node is the leader".to_owned());
        assert_eq!(failed.figure().verdict(), SecuredVerdict::NotCompared);
        let mut few = kills(900.0, 900.0);
        few.tls_ms.truncate(5);
        assert_eq!(few.figure().verdict(), SecuredVerdict::NotCompared);
    }
}
