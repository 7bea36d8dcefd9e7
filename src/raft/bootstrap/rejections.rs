//! The peers that were refused lately, for the log.

use crate::clock::{self, Instant};
use crate::locks::lock;
use crate::model::shown;
use crate::raft::log_target;
use crate::raft::transport::identity::NodeName;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// A refusal is said this often.
const SAY_INTERVAL: Duration = Duration::from_secs(10);
/// Refusals remembered at once: more senders than an inventory may list are an attack, and not worth a line each.
const MAX_REFUSALS: usize = 64;

/// What was refused lately, and when it was said.
#[derive(Default)]
pub(crate) struct Refusals {
    said: Mutex<BTreeMap<String, Instant>>,
}

impl Refusals {
    /// A peer was refused: said once in a while, since it tries again at once.
    pub(crate) fn note(&self, from: &NodeName, reason: &str) {
        let now = clock::now();
        let mut said = lock(&self.said);
        said.retain(|_, at| now.duration_since(*at) < SAY_INTERVAL);
        let incarnation = from.incarnation;
        let name = shown(&from.node_id);
        let text = format!("refused {name} (incarnation {incarnation:016x}): {reason}");
        if said.len() < MAX_REFUSALS && !said.contains_key(&text) {
            tracing::warn!(target: log_target::FORMING, "{text}");
            said.insert(text, now);
        }
    }

    /// What the refusals that are remembered take.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        lock(&self.said).keys().map(String::len).sum()
    }
}
