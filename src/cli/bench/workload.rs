//! The requests that the clients send.

use super::connection::HttpConnection;
use crate::cli::client::error::CommandError;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// The requests of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Workload {
    /// Lookups of the type.
    Lookup,
    /// Announcements that change something.
    Change,
    /// Announcements that change nothing, which a node sends every few seconds.
    Renew,
    /// All of these, in the shares of --mix.
    Mix,
}

/// The kind of one request of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BenchStep {
    Lookup,
    Change,
    Renew,
}

/// The shares of a mix, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    lookup: u64,
    renew: u64,
    change: u64,
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Mix, String> {
        let mut mix = Mix {
            lookup: 0,
            renew: 0,
            change: 0,
        };
        for part in text.split(',') {
            let (name, share) = part
                .split_once('=')
                .ok_or_else(|| format!("'{part}' is not a share such as lookup=80"))?;
            let share_of_step = match name.trim() {
                "lookup" => &mut mix.lookup,
                "renew" => &mut mix.renew,
                "change" => &mut mix.change,
                other => return Err(format!("'{other}' is not one of lookup, renew, change")),
            };
            *share_of_step = share
                .trim()
                .parse()
                .map_err(|_| format!("'{share}' is not a whole number"))?;
        }
        match mix
            .lookup
            .checked_add(mix.renew)
            .and_then(|sum| sum.checked_add(mix.change))
        {
            Some(100) => Ok(mix),
            Some(sum) => Err(format!("the shares add up to {sum}, not 100")),
            None => Err("the shares are too large".to_owned()),
        }
    }
}

impl Workload {
    /// Returns the n-th request of a load. In a mix, the kinds of requests alternate evenly, in the
    /// same order in each run.
    pub fn step(self, mix: Mix, n: u64) -> BenchStep {
        /// A factor coprime to 100, so that consecutive requests rarely fall into the same share.
        const STRIDE: u64 = 37;
        match self {
            Workload::Lookup => BenchStep::Lookup,
            Workload::Change => BenchStep::Change,
            Workload::Renew => BenchStep::Renew,
            Workload::Mix => match n.wrapping_mul(STRIDE) % 100 {
                at if at < mix.lookup => BenchStep::Lookup,
                at if at < mix.lookup + mix.renew => BenchStep::Renew,
                _ => BenchStep::Change,
            },
        }
    }
}

/// Returns the environment that the lookups of the cluster report.
///
/// # Errors
/// Fails when the first server does not return a lookup, or when services of the type are already
/// announced.
pub async fn environment(
    connection: &mut HttpConnection,
    of_type: &str,
) -> Result<String, CommandError> {
    #[derive(Deserialize)]
    struct LookupMix {
        environment: String,
        services: Vec<serde::de::IgnoredAny>,
    }
    let path = super::nodes::lookup_path(of_type);
    let text = connection.text(&path).await;
    let text = text.map_err(|why| CommandError::Unanswered(vec![why]))?;
    let lookup: LookupMix = serde_json::from_str(&text)
        .map_err(|error| CommandError::Refused(format!("the response is not a lookup: {error}")))?;
    match lookup.services.len() {
        0 => Ok(lookup.environment),
        others => Err(CommandError::Refused(format!(
            "{others} services of type {of_type} are already announced: \
             wait until they expire, or choose another --of-type"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shares of a mix must add up to 100. The error for an invalid mix names the invalid part.
    #[test]
    fn mixes_are_read() {
        let wrong = |text: &str| text.parse::<Mix>().unwrap_err();
        assert!("lookup=80,renew=15,change=5".parse::<Mix>().is_ok());
        assert!("change=100".parse::<Mix>().is_ok());
        assert!(wrong("lookup=80").contains("80"));
        assert!(wrong("lookup").contains("'lookup'"));
        assert!(wrong("watch=100").contains("'watch'"));
        assert!(wrong("lookup=x,change=1").contains("'x'"));
    }

    /// Out of 100 requests of a mix, each kind of request gets its share.
    #[test]
    fn a_mix_keeps_its_shares() {
        let mix = "lookup=50,renew=30,change=20".parse().expect("a mix");
        let count = |step| {
            let steps = (0..100).map(|n| Workload::Mix.step(mix, n));
            steps.filter(|one| *one == step).count()
        };
        let counts = [BenchStep::Lookup, BenchStep::Renew, BenchStep::Change].map(count);
        assert_eq!(counts, [50, 30, 20]);
    }
}
