//! The log lines about refused connections and requests, limited for each client.

use crate::clock::{Instant, now};
use crate::locks::lock;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

/// Minimum time between two log lines about one address and reason.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Maximum number of pairs of address and reason that are counted separately. Refusals of further
/// pairs are counted together.
const PAIRS_MAX: usize = 1_000;

/// The recent refusals. The first refusal of an address for a reason is logged immediately. Later
/// refusals are logged at most once a minute, with their number. Refusals never lock out a client,
/// because all clients behind a proxy have one address.
#[derive(Default)]
pub(super) struct Refusals {
    recent: Mutex<RecentRefusals>,
}

#[derive(Default)]
struct RecentRefusals {
    pairs: BTreeMap<(IpAddr, String), RefusalCount>,
    /// The refusals for which no pair was free.
    others: Option<RefusalCount>,
}

/// The refusals since the last log line.
struct RefusalCount {
    logged_at: Instant,
    unlogged: u64,
}

impl Refusals {
    /// Counts a refusal of an address, and logs the refusal if a line is due.
    pub(super) fn note(&self, address: IpAddr, reason: &str) {
        if let Some(line) = self.line(address, reason, now()) {
            tracing::warn!(target: "quorate::http::refused", "{line}");
        }
    }

    /// Counts a refusal, and returns the line to log, if one is due.
    fn line(&self, address: IpAddr, reason: &str, at: Instant) -> Option<String> {
        let mut recent = lock(&self.recent);
        // Digits do not count, since a reason may contain a time that differs each time.
        let pair = (address, reason.replace(|c: char| c.is_ascii_digit(), "#"));
        if !recent.pairs.contains_key(&pair) && recent.pairs.len() >= PAIRS_MAX {
            let is_recent =
                |count: &RefusalCount| at.duration_since(count.logged_at) < LOG_INTERVAL;
            recent.pairs.retain(|_, count| is_recent(count));
        }
        if !recent.pairs.contains_key(&pair) && recent.pairs.len() >= PAIRS_MAX {
            let unlogged = due(&mut recent.others, at)?;
            return Some(format!(
                "refused {unlogged} of more than {PAIRS_MAX} addresses and reasons, \
                 last {address}: {reason}"
            ));
        }
        let mut count = recent.pairs.remove(&pair);
        let unlogged = due(&mut count, at);
        recent.pairs.extend(count.map(|count| (pair, count)));
        unlogged.map(|unlogged| match unlogged {
            1 => format!("refused {address}: {reason}"),
            more => format!("refused {address}: {reason} ({more} times since the last line)"),
        })
    }
}

/// Adds one refusal, and returns the number of refusals to log, if a line is due.
fn due(count: &mut Option<RefusalCount>, at: Instant) -> Option<u64> {
    let unlogged = match count {
        Some(count) if at.duration_since(count.logged_at) < LOG_INTERVAL => {
            count.unlogged += 1;
            return None;
        }
        Some(count) => count.unlogged + 1,
        None => 1,
    };
    *count = Some(RefusalCount {
        logged_at: at,
        unlogged: 0,
    });
    Some(unlogged)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first refusal of an address and reason is logged, and the next ones are counted until a
    /// minute has passed.
    #[test]
    fn refusals_are_counted() {
        let (refusals, start) = (Refusals::default(), now());
        let address = IpAddr::from([10, 0, 0, 7]);
        let note =
            |seconds, reason| refusals.line(address, reason, start + Duration::from_secs(seconds));
        assert_eq!(
            note(0, "no token"),
            Some("refused 10.0.0.7: no token".to_owned())
        );
        assert_eq!(note(1, "no token"), None);
        assert_eq!(note(59, "no token"), None);
        assert!(note(59, "an expired token").is_some());
        assert_eq!(
            note(61, "no token").as_deref(),
            Some("refused 10.0.0.7: no token (3 times since the last line)")
        );
    }

    /// The number of pairs that are counted is limited, and refusals beyond it are logged together.
    #[test]
    fn pairs_are_limited() {
        let (refusals, start) = (Refusals::default(), now());
        for i in 0..PAIRS_MAX {
            let address = IpAddr::from([10, 1, (i >> 8) as u8, i as u8]);
            assert!(refusals.line(address, "x", start).is_some());
        }
        let mut lines = (0..100).filter_map(|i| refusals.line([10, 0, 1, i].into(), "x", start));
        let line = lines.next().expect("the first is logged");
        assert!(line.starts_with("refused 1 of more than 1000"), "{line}");
        assert_eq!(lines.count(), 0);
        assert_eq!(lock(&refusals.recent).pairs.len(), PAIRS_MAX);
        let later = start + LOG_INTERVAL;
        assert!(refusals.line([10, 0, 1, 1].into(), "x", later).is_some());
        assert_eq!(lock(&refusals.recent).pairs.len(), 1);
    }
}
