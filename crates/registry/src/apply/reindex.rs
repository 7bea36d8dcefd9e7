//! Moves a node between types and pools when its announcement changes.

use crate::registry::Registry;
use crate::state::borrowed::BorrowedAnnouncement;
use crate::state::by_type_and_pool::parts;
use crate::state::type_index::PoolEntry;
use quorate_planted::{Bug, is_planted};
use std::sync::Arc;

impl Registry {
    /// Moves a node from the types and pools of its previous announcement to the types and pools of
    /// its next announcement. Skips each pool in which nothing about the node changes, so that the
    /// rendered bytes of the pool stay valid.
    pub(crate) fn reindex(
        &mut self,
        node_id: &Arc<str>,
        before: Option<&BorrowedAnnouncement<'_>>,
        after: Option<&BorrowedAnnouncement<'_>>,
        index: u64,
    ) {
        let (left, entered) = (parts(before), parts(after));
        let same_place = match (before, after) {
            (Some(before), Some(after)) => before.location == after.location,
            _ => false,
        };
        let brought_in = match is_planted(Bug::PartialApply) {
            true => 1,
            false => entered.len(),
        };
        for (key, services) in entered.iter().take(brought_in) {
            if same_place && left.get(key) == Some(services) {
                continue;
            }
            self.change_pool(key.0, key.1, index, |of_pool| {
                of_pool.enter(node_id, services);
            });
            self.effects.of_node(
                [key.0, key.1],
                node_id,
                left.get(key).map_or(&[][..], Vec::as_slice),
                after.map(|node| (node, services.as_slice())),
                same_place,
            );
        }
        for (key, services) in left.iter().filter(|(key, _)| !entered.contains_key(*key)) {
            self.change_pool(key.0, key.1, index, |of_pool| of_pool.leave(node_id));
            self.effects
                .of_node([key.0, key.1], node_id, services, None, same_place);
        }
        let count =
            |node: Option<&BorrowedAnnouncement<'_>>| node.map_or(0, |node| node.services.len());
        self.services = self.services + count(after) - count(before);
    }

    /// Changes the members of a type in a pool, and invalidates the renderings that contain them.
    pub(crate) fn change_pool(
        &mut self,
        service_type: &str,
        pool: &str,
        index: u64,
        change: impl FnOnce(&mut PoolEntry),
    ) {
        if self.index.change(service_type, pool, index, change) {
            self.vanished_index = index;
        }
        self.changed_index = index;
        self.renderings.invalidate(service_type, pool);
    }
}
