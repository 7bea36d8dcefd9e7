//! Log lines about clients, limited in number for each client.

use crate::audit::{AUDIT_TARGET, REFUSAL};
use crate::clock::{Instant, now};
use crate::locks::lock;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

/// The action of a log of refused clients.
pub(super) const REFUSED: &str = "refused";

/// Minimum time between two log lines about one address and reason.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Maximum number of pairs of address and reason with the same address, so that one client cannot
/// use up all [`PAIRS_MAX`] pairs.
const PAIRS_PER_ADDRESS_MAX: usize = 200;

/// Minimum time between two searches for pairs that can be removed.
const PRUNE_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum number of pairs of address and reason whose occurrences are counted separately. The
/// occurrences of all other pairs are counted together.
const PAIRS_MAX: usize = 1_000;

/// A log of actions against clients, such as refusals, with the reasons. The first line for an
/// address and reason is written immediately. Further occurrences are counted, and written together
/// at most once a minute. Refusals are in the audit log too.
///
/// An address is never locked out, because all clients behind a proxy share one address.
pub(super) struct LimitedLog {
    /// The action taken on the clients, for example `refused`. It is the first word of each line.
    done: &'static str,
    recent: Mutex<RecentReasons>,
}

#[derive(Default)]
struct RecentReasons {
    pairs: BTreeMap<(IpAddr, String), ReasonCount>,
    /// The time at which old pairs were last removed to make room.
    pruned_at: Option<Instant>,
    /// The occurrences for which no pair was free.
    others: Option<ReasonCount>,
}

/// The occurrences of a reason since its last log line.
struct ReasonCount {
    logged_at: Instant,
    unlogged: u64,
}

impl LimitedLog {
    /// Creates a log of an action taken on clients, for example `refused`.
    pub(super) fn new(done: &'static str) -> LimitedLog {
        LimitedLog {
            done,
            recent: Mutex::default(),
        }
    }

    /// Counts an occurrence of a reason at an address, and logs a line if one is due. `request` is
    /// the method and the path of the request, or empty if there is none.
    pub(super) fn note(&self, address: IpAddr, request: &str, reason: &str) {
        let Some(line) = self.line(address, reason, now()) else {
            return;
        };
        tracing::warn!(target: "quorate::http::clients", "{}", line.text);
        if self.done != REFUSED {
            return;
        }
        // A line about several addresses and reasons names only the last one in its text.
        let address = line.is_of_one.then(|| tracing::field::display(address));
        let request = line.is_of_one.then_some(request);
        let reason = match line.is_of_one {
            true => reason,
            false => "others, which are not listed one by one",
        };
        tracing::info!(
            target: AUDIT_TARGET,
            address,
            request,
            outcome = "refused",
            reason,
            count = line.count,
            "{REFUSAL}"
        );
    }

    /// Counts an occurrence, and returns the line to log, if one is due.
    fn line(&self, address: IpAddr, reason: &str, at: Instant) -> Option<DueLine> {
        let done = self.done;
        let mut recent = lock(&self.recent);
        let pair = (address, without_seconds(reason));
        if !recent.pairs.contains_key(&pair) && recent.is_full(address) {
            recent.prune(at);
            if recent.is_full(address) {
                let count = due(&mut recent.others, at)?;
                let text = format!(
                    "{done} {count} more, which are not listed one by one; the last one is \
                     {address}: {reason}"
                );
                let is_of_one = false;
                return Some(DueLine {
                    text,
                    count,
                    is_of_one,
                });
            }
        }
        let mut reasons = recent.pairs.remove(&pair);
        let count = due(&mut reasons, at);
        recent.pairs.extend(reasons.map(|count| (pair, count)));
        let count = count?;
        let times = match count {
            1 => String::new(),
            more => format!(" ({more} times since the last line)"),
        };
        Some(DueLine {
            text: format!("{done} {address}: {reason}{times}"),
            count,
            is_of_one: true,
        })
    }
}

/// A line that is due.
#[derive(Debug, PartialEq, Eq)]
struct DueLine {
    text: String,
    /// The number of occurrences that it stands for.
    count: u64,
    /// Whether all of them are of the same address and reason.
    is_of_one: bool,
}

impl RecentReasons {
    /// Returns true if there is no room for another reason of an address.
    fn is_full(&self, address: IpAddr) -> bool {
        let of_address = self.pairs.range((address, String::new())..);
        let of_address = of_address.take_while(|((other, _), _)| *other == address);
        self.pairs.len() >= PAIRS_MAX
            || of_address.take(PAIRS_PER_ADDRESS_MAX).count() == PAIRS_PER_ADDRESS_MAX
    }

    /// Removes the pairs whose last log line is older than [`LOG_INTERVAL`]. Does nothing within
    /// [`PRUNE_INTERVAL`] of the last removal.
    fn prune(&mut self, at: Instant) {
        let pruned_at = self.pruned_at.replace(at);
        if pruned_at.is_some_and(|last| at.duration_since(last) < PRUNE_INTERVAL) {
            self.pruned_at = pruned_at;
            return;
        }
        let is_recent = |count: &ReasonCount| at.duration_since(count.logged_at) < LOG_INTERVAL;
        self.pairs.retain(|_, count| is_recent(count));
    }
}

/// Returns a reason without its numbers of seconds, which differ each time.
fn without_seconds(reason: &str) -> String {
    let words: Vec<&str> = reason.split(' ').collect();
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let kept = words.iter().enumerate().map(|(i, word)| {
        let is_seconds = is_number(word) && words.get(i + 1) == Some(&"s");
        if is_seconds { "#" } else { word }
    });
    kept.collect::<Vec<_>>().join(" ")
}

/// Adds one occurrence, and returns the number of occurrences to log, if a line is due.
fn due(count: &mut Option<ReasonCount>, at: Instant) -> Option<u64> {
    let unlogged = match count {
        Some(count) if at.duration_since(count.logged_at) < LOG_INTERVAL => {
            count.unlogged += 1;
            return None;
        }
        Some(count) => count.unlogged + 1,
        None => 1,
    };
    *count = Some(ReasonCount {
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
        let (refusals, start) = (LimitedLog::new("refused"), now());
        let address = IpAddr::from([10, 0, 0, 7]);
        let note = |seconds, reason| {
            let line = refusals.line(address, reason, start + Duration::from_secs(seconds))?;
            Some((line.text, line.count))
        };
        assert_eq!(
            note(0, "no token"),
            Some(("refused 10.0.0.7: no token".to_owned(), 1))
        );
        assert_eq!(note(1, "no token"), None);
        assert_eq!(note(59, "no token"), None);
        assert!(note(59, "it expired 70 s ago").is_some());
        assert_eq!(note(60, "it expired 71 s ago"), None);
        assert_eq!(
            note(61, "no token"),
            Some((
                "refused 10.0.0.7: no token (3 times since the last line)".to_owned(),
                3
            ))
        );
    }

    /// One address cannot use up all pairs.
    #[test]
    fn one_address_leaves_pairs_for_others() {
        let (refusals, start) = (LimitedLog::new("refused"), now());
        let lines = (0..PAIRS_MAX)
            .filter_map(|i| refusals.line([10, 0, 0, 7].into(), &format!("n{i}"), start));
        assert_eq!(lines.count(), PAIRS_PER_ADDRESS_MAX + 1);
        assert!(refusals.line([10, 0, 0, 8].into(), "x", start).is_some());
    }

    /// The number of pairs that are counted is limited, and refusals beyond this limit are logged
    /// together.
    #[test]
    fn pairs_are_limited() {
        let (refusals, start) = (LimitedLog::new("refused"), now());
        for i in 0..PAIRS_MAX {
            let address = IpAddr::from([10, 1, (i >> 8) as u8, i as u8]);
            assert!(refusals.line(address, "x", start).is_some());
        }
        let mut lines = (0..100).filter_map(|i| refusals.line([10, 0, 1, i].into(), "x", start));
        let line = lines.next().expect("the first is logged");
        assert!(
            line.text.starts_with("refused 1 more") && !line.is_of_one,
            "{line:?}"
        );
        assert_eq!(lines.count(), 0);
        assert_eq!(lock(&refusals.recent).pairs.len(), PAIRS_MAX);
        let later = start + LOG_INTERVAL;
        assert!(refusals.line([10, 0, 1, 1].into(), "x", later).is_some());
        assert_eq!(lock(&refusals.recent).pairs.len(), 1);
    }
}
