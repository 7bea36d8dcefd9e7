//! Applies ticks: advances cluster time, and expires nodes whose deadline is reached.

use crate::command::Outcome;
use crate::level::LEVEL_OF_ORDER;
use crate::registry::Registry;
use quorate_planted::{Bug, is_planted};

impl Registry {
    /// Advances cluster time, and removes the nodes whose deadline is reached.
    ///
    /// A node never expires early, because cluster time advances by `max_age_ms + step_ms` between
    /// an announcement and its deadline. At most `step_ms` of this advance can be real time from
    /// before the announcement was committed:
    ///
    /// - Only the first two ticks that follow the announcement in the log may count time from
    ///   before the commit. The second tick does so only if the first tick waited for a majority.
    ///   In sum, the two ticks count at most one `step_ms` of time from before the commit
    ///   (`src/raft/monitor/ticker.rs`).
    /// - A new leader may use a longer step. The first tick after the announcement nevertheless
    ///   advances cluster time by at most the step that the deadline includes (`step_limit_ms`).
    ///
    /// When cluster time reaches the deadline, at least `max_age_ms` of real time has therefore
    /// passed since the commit.
    ///
    /// A tick with a grace period (`grace_ms`) neither advances cluster time nor uses up a grace
    /// period. The time that such a tick counts belongs to the outage, during which no node could
    /// renew.
    pub(crate) fn tick(
        &mut self,
        index: u64,
        advance_ms: u64,
        step_ms: u64,
        grace_ms: Option<u64>,
    ) -> Outcome {
        let advance_ms = match is_planted(Bug::WallClockAge) {
            true => advance_ms,
            false => advance_ms.min(step_ms).min(self.step_limit_ms),
        };
        self.step_limit_ms = u64::MAX;
        if self.level >= LEVEL_OF_ORDER {
            self.ticked_ms = self.ticked_ms.saturating_add(advance_ms);
        }
        if let Some(grace_ms) = grace_ms {
            self.grace_left_ms = self.grace_left_ms.max(grace_ms);
        } else {
            let used_ms = advance_ms.min(self.grace_left_ms);
            self.grace_left_ms -= used_ms;
            self.cluster_ms = self.cluster_ms.saturating_add(advance_ms - used_ms);
        }
        Outcome::Expired(self.expire(index))
    }

    /// Removes the nodes whose deadline is reached, and returns their ids.
    fn expire(&mut self, index: u64) -> Vec<String> {
        let mut expired = Vec::new();
        while let Some(due) = self
            .deadlines
            .first()
            .filter(|(deadline_ms, _)| *deadline_ms <= self.cluster_ms)
            .cloned()
        {
            self.deadlines.remove(&due);
            let (_, node_id) = due;
            self.remove_node(&node_id, index);
            self.counts.expired += 1;
            expired.push(node_id.as_ref().to_owned());
        }
        expired
    }
}
