//! The log lines and audit events about rejected peers, limited in number and rate.

use crate::audit::{AUDIT_TARGET, PEER};
use crate::clock::{self, Instant};
use crate::locks::lock;
use crate::model::shown;
use crate::raft::log_target;
use crate::raft::transport::identity::NodeIdentity;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// Minimum time between two log lines for the same rejection.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// Maximum number of rejections kept at a time. An inventory lists no more nodes than this, so more
/// rejections point to an attack, and are not logged.
const MAX_REJECTIONS: usize = 64;

/// The text of each recent rejection, and the time at which it was logged.
#[derive(Default)]
pub(crate) struct Rejections {
    logged: Mutex<BTreeMap<String, Instant>>,
}

impl Rejections {
    /// Logs that a peer was rejected. Repetitions are rate-limited, since a rejected peer retries
    /// immediately. `principal` is what the peer has proved, if it has proved anything.
    pub(crate) fn log(&self, from: &NodeIdentity, principal: Option<String>, reason: &str) {
        let now = clock::now();
        let mut logged = lock(&self.logged);
        logged.retain(|_, at| now.duration_since(*at) < LOG_INTERVAL);
        let incarnation = from.incarnation;
        let name = shown(&from.node_id);
        let text = format!("refused {name} (incarnation {incarnation:016x}): {reason}");
        if logged.len() < MAX_REJECTIONS && !logged.contains_key(&text) {
            tracing::warn!(target: log_target::FORMING, "{text}");
            if let Some(principal) = principal {
                tracing::info!(
                    target: AUDIT_TARGET, principal, outcome = "refused", reason, "{PEER}"
                );
            }
            logged.insert(text, now);
        }
    }

    /// Returns the size of the remembered rejections in bytes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        lock(&self.logged).keys().map(String::len).sum()
    }
}
