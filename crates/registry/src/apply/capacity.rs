//! The limits of the registry's content: the memory limit of the whole registry
//! ([`MAX_HELD_BYTES`](crate::MAX_HELD_BYTES)), and the limits of one announcement
//! ([`MAX_SERVICES`], [`MAX_LOCATION_BYTES`]).

use crate::level::LEVEL_OF_LIMITS;
use crate::model::{Announcement, MAX_LOCATION_BYTES};
use crate::registry::Registry;
use crate::state::borrowed::BorrowedAnnouncement;
use crate::state::by_type_and_pool::{Parts, parts};
use crate::state::cost::{POOL_BYTES, TYPE_BYTES};
use crate::state::node_entry::NodeEntry;
use crate::state::static_entry::StaticEntry;
use crate::state::type_index::TypeIndex;
use std::collections::BTreeSet;

/// Maximum number of services in one announcement. Engines announce one or two.
///
/// Each service adds to a rendered lookup, an event and a snapshot. A body of 1 MB with 20,000
/// services therefore costs far more than the size of its text.
pub const MAX_SERVICES: usize = 4_096;

impl Registry {
    /// Returns the reason why an announcement is too large, as one line that names the field.
    /// Returns `None` if the announcement is not too large. The result does not depend on how full
    /// the registry is.
    ///
    /// A stored announcement may exceed the limits if it was accepted below the feature level
    /// `LEVEL_OF_LIMITS`. The node may renew this announcement, or replace it by one that is no
    /// larger.
    pub fn objection(&self, announcement: &Announcement) -> Option<String> {
        let (services, location) = (announcement.services.len(), announcement.location.len());
        if services <= MAX_SERVICES && location <= MAX_LOCATION_BYTES {
            return None;
        }
        let entry = self.held(&announcement.node_id).map(NodeEntry::unpack);
        let (held_services, held_location) =
            entry.map_or((0, 0), |entry| (entry.services.len(), entry.location.len()));
        if services > MAX_SERVICES.max(held_services) {
            return Some(format!(
                "services has {services} entries; the limit is {MAX_SERVICES}"
            ));
        }
        (location > MAX_LOCATION_BYTES.max(held_location))
            .then(|| format!("location has {location} bytes; the limit is {MAX_LOCATION_BYTES}"))
    }

    /// Returns the memory cost in bytes that counts towards
    /// [`MAX_HELD_BYTES`](crate::MAX_HELD_BYTES).
    pub fn counted_bytes(&self) -> usize {
        match self.level < LEVEL_OF_LIMITS {
            true => self.held_bytes,
            false => self.held_bytes + self.index.bytes(),
        }
    }

    /// Recomputes `held_bytes`, the cost of all announcements and static services without their
    /// types and pools, after the feature level was raised. Some levels change how the cost is
    /// counted.
    pub(crate) fn recompute_held_bytes(&self) -> usize {
        let nodes = self
            .nodes
            .values()
            .map(|entry| entry.cost_bytes(self.level));
        let statics = self
            .statics
            .values()
            .map(|entry| entry.cost_bytes(self.level));
        nodes.chain(statics).sum()
    }

    /// Returns whether the memory limit allows an announcement to replace the node's previous
    /// announcement. A replacement that costs no more than the previous announcement is always
    /// allowed.
    pub(crate) fn fits_announcement(
        &self,
        before: Option<(&NodeEntry, &BorrowedAnnouncement<'_>)>,
        after: (&NodeEntry, &BorrowedAnnouncement<'_>),
    ) -> bool {
        let before_bytes = before.map_or(0, |(entry, _)| entry.cost_bytes(self.level));
        let after_bytes = after.0.cost_bytes(self.level);
        if self.level < LEVEL_OF_LIMITS {
            return self.fits(before_bytes, after_bytes);
        }
        // If even an upper bound of the cost is within the limit, no pool needs to be looked up.
        let pool_bytes = TYPE_BYTES + POOL_BYTES + after.1.pool.len();
        let most = after.0.packed().len() + after.1.services.len() * pool_bytes;
        if self.counted_bytes() + after_bytes + most <= self.max_held_bytes {
            return true;
        }
        let (old, new) = (parts(before.map(|(_, node)| node)), parts(Some(after.1)));
        self.fits(
            before_bytes + self.index.vanishing_bytes(&old, &new),
            after_bytes + self.index.arising_bytes(new.keys().copied()),
        )
    }

    /// Returns whether the memory limit allows a static service to replace the static service with
    /// the same id.
    pub(crate) fn fits_static(&self, before: Option<&StaticEntry>, after: &StaticEntry) -> bool {
        let before_bytes = before.map_or(0, |entry| entry.cost_bytes(self.level));
        let mut after_bytes = after.cost_bytes(self.level);
        if self.level >= LEVEL_OF_LIMITS {
            let key = (&*after.service.service_type, &*after.service.pool);
            after_bytes += self.index.arising_bytes([key].into_iter());
        }
        self.fits(before_bytes, after_bytes)
    }

    /// Returns whether there is room for `after` bytes in place of `before` bytes.
    fn fits(&self, before: usize, after: usize) -> bool {
        after <= before || self.counted_bytes() - before + after <= self.max_held_bytes
    }
}

impl TypeIndex {
    /// Returns the cost of the given types and pools, counting only those that do not exist yet and
    /// would be created.
    fn arising_bytes<'a>(&self, index: impl Iterator<Item = (&'a str, &'a str)>) -> usize {
        index
            .map(|(service_type, pool)| match self.of_type(service_type) {
                None => TYPE_BYTES + service_type.len() + POOL_BYTES + pool.len(),
                Some(of_type) if !of_type.pools.contains_key(pool) => POOL_BYTES + pool.len(),
                Some(_) => 0,
            })
            .sum()
    }

    /// Returns the cost of the types and pools that would have no members after a node moved from
    /// `old` to `new`.
    fn vanishing_bytes(&self, old: &Parts<'_, '_>, new: &Parts<'_, '_>) -> usize {
        let new_types: BTreeSet<&str> = new.keys().map(|(service_type, _)| *service_type).collect();
        old.keys()
            .filter(|key| !new.contains_key(*key))
            .map(|(service_type, pool)| {
                let is_alone = self
                    .of_pool(service_type, pool)
                    .is_some_and(|of_pool| of_pool.nodes.len() == 1 && of_pool.statics.is_empty());
                let of_type = self.of_type(service_type);
                let is_only_pool = of_type.is_some_and(|of_type| of_type.pools.len() == 1);
                match (is_alone, is_only_pool && !new_types.contains(service_type)) {
                    (false, _) => 0,
                    (true, false) => POOL_BYTES + pool.len(),
                    (true, true) => TYPE_BYTES + service_type.len() + POOL_BYTES + pool.len(),
                }
            })
            .sum()
    }
}
