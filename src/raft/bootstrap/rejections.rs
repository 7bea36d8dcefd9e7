//! The recently refused peers, kept for the log.

use crate::clock::{self, Instant};
use crate::locks::lock;
use crate::model::shown;
use crate::raft::log_target;
use crate::raft::transport::identity::NodeIdentity;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// Minimum time between two log lines for the same refusal.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// Maximum number of refusals kept at a time. More senders than an inventory may list are an
/// attack, and not worth a line each.
const MAX_REJECTIONS: usize = 64;

/// The recent refusals, and the time at which each was logged.
#[derive(Default)]
pub(crate) struct Rejections {
    said: Mutex<BTreeMap<String, Instant>>,
}

impl Rejections {
    /// Logs that a peer was refused. Repetitions are rate-limited, since a refused peer retries
    /// immediately.
    pub(crate) fn log(&self, from: &NodeIdentity, reason: &str) {
        let now = clock::now();
        let mut said = lock(&self.said);
        said.retain(|_, at| now.duration_since(*at) < LOG_INTERVAL);
        let incarnation = from.incarnation;
        let name = shown(&from.node_id);
        let text = format!("refused {name} (incarnation {incarnation:016x}): {reason}");
        if said.len() < MAX_REJECTIONS && !said.contains_key(&text) {
            tracing::warn!(target: log_target::FORMING, "{text}");
            said.insert(text, now);
        }
    }

    /// Returns the size of the remembered refusals in bytes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        lock(&self.said).keys().map(String::len).sum()
    }
}
