//! A digest of the whole state, equal on all nodes at the same applied index.
//!
//! Each part of the state has an element, which is a digest of the part. The digest of the state is
//! the sum of all elements. The cost of a change therefore depends on the parts that change, not on
//! the size of the state.
//!
//! The digest detects faults but not attacks, because a peer that can choose the state can also
//! choose the digest.

use crate::level::LEVEL_OF_ORDER;
use crate::model::Fingerprint;
use crate::registry::Registry;

impl Registry {
    /// Returns the digest of the state, which each `apply` keeps up to date. The call takes a
    /// microsecond.
    pub fn digest(&self) -> u128 {
        self.digest_with([self.sum, self.index.sum(), self.tombstones.sum()])
    }

    /// Recomputes the digest from the state. The result differs from [`Registry::digest`] only
    /// after a memory error or because of a bug.
    pub fn recompute_digest(&self) -> u128 {
        self.digest_with([
            self.recompute_sum(),
            self.index.recompute_sum(),
            self.tombstones.recompute_sum(),
        ])
    }

    /// Recomputes the sum of the elements (the digests) of all nodes and all static services.
    pub(crate) fn recompute_sum(&self) -> u128 {
        let nodes = self.nodes.values().fold(0u128, |sum, entry| {
            sum.wrapping_add(entry.element(self.level))
        });
        self.statics
            .values()
            .fold(nodes, |sum, entry| sum.wrapping_add(entry.element()))
    }

    fn digest_with(&self, sums: [u128; 3]) -> u128 {
        let header = Fingerprint::of("registry 1")
            .text(&self.environment)
            .number(self.applied_index)
            .number(u64::from(self.level))
            .number(self.cluster_ms)
            .number(self.grace_left_ms)
            .number(self.step_limit_ms)
            .number(self.changed_index)
            .number(self.statics_changed_index)
            .number(self.vanished_index)
            .number(self.tombstones.floor())
            .number(self.retired.len() as u64);
        // Below `LEVEL_OF_ORDER`, releases that do not know `ticked_ms` must compute the same
        // digest.
        let header = match self.level < LEVEL_OF_ORDER {
            true => header,
            false => header.number(self.ticked_ms),
        };
        let header = self
            .retired
            .iter()
            .fold(header, |so_far, raft_id| so_far.number(*raft_id));
        sums.into_iter().fold(header, Fingerprint::digest).finish()
    }
}
