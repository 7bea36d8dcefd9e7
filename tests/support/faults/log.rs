//! Collects the committed log from nodes that are down. All nodes contribute, because one may have
//! purged entries that another still has.

use super::stage::Stage;
use quorate_checker::log::CommittedLog;

impl Stage {
    /// Adds the committed log of a node that does not run to the collected log.
    ///
    /// # Panics
    /// When two nodes committed different entries at one index.
    pub(super) fn note_log(&mut self, node: usize) {
        let node = &self.cluster.nodes[node];
        let text = node.committed_log();
        let later = CommittedLog::read(text.as_bytes(), "token").expect("the log is readable");
        self.log = Some(match self.log.take() {
            None => later,
            Some(known) => known
                .joined(later)
                .unwrap_or_else(|problem| panic!("the log of {}: {problem}", node.etc.node_id)),
        });
    }
}
