//! What the registry takes, and what it refuses to take.
//!
//! From [`LEVEL_OF_LIMITS`] on, what an entry counts for is what it costs:
//!
//! | | bytes |
//! |---|---|
//! | an announcement | its packed text, its node id, and [`ANNOUNCEMENT_BYTES`] |
//! | each of its services | its JSON, since a lookup renders it |
//! | each of its types | [`MEMBER_BYTES`] |
//! | a static service | its texts, its JSON, and [`ANNOUNCEMENT_BYTES`] |
//! | a type | its name and [`TYPE_BYTES`], once for all who announce it |
//! | a pool of a type | its name and [`POOL_BYTES`], once for all who announce it |
//!
//! Before that level an announcement counts its packed text and [`ENTRY_BYTES`], and a static
//! service its texts and as much.

use super::groups::Groups;
use super::held::Unpacked;
use super::regroup::{Parts, parts};
use super::{Held, HeldStatic, LEVEL_OF_LIMITS, Registry};
use crate::model::{Announcement, StaticService, json_service_bytes};
use std::collections::BTreeSet;

/// The most services of one announcement.
///
/// An engine announces one or two of a node. Each service costs a part of a rendered lookup, of
/// an event and of a snapshot, so a body of 1 MB with 20,000 of them costs far more than its text.
pub const MAX_SERVICES: usize = 4_096;

/// The longest location of an announcement, in bytes. A lookup repeats it with each service.
pub const MAX_LOCATION_BYTES: usize = 1_024;

/// What an entry counts for beside its text, before [`LEVEL_OF_LIMITS`].
const ENTRY_BYTES: usize = 512;

/// What an announcement takes beside its text: its places in two maps that may be half empty, and
/// two allocations.
const ANNOUNCEMENT_BYTES: usize = 384;

/// What a node takes in each of its types: a place in two sets that may be half empty.
const MEMBER_BYTES: usize = 64;

/// What a type takes beside its name: a place in a map, and the map of its pools.
pub(super) const TYPE_BYTES: usize = 448;

/// What a pool of a type takes beside its name: itself, and the sets of its members.
pub(super) const POOL_BYTES: usize = 576;

/// What an announcement counts for from [`LEVEL_OF_LIMITS`] on, its types and pools left out.
pub(super) fn announcement_bytes(announcement: &Announcement, packed_bytes: usize) -> usize {
    let Announcement {
        node_id,
        pool,
        location,
        services,
    } = announcement;
    let mut types: Vec<&str> = services
        .iter()
        .map(|service| service.service_type)
        .collect();
    types.sort_unstable();
    types.dedup();
    let json: usize = services
        .iter()
        .map(|service| {
            let texts = [service.service_type, pool, location];
            json_service_bytes(service.id, Some(node_id), texts, service.properties)
        })
        .sum();
    packed_bytes + node_id.len() + ANNOUNCEMENT_BYTES + json + types.len() * MEMBER_BYTES
}

impl Held {
    /// What it counts for in `MAX_HELD_BYTES` at a level, its types and pools left out.
    pub(super) fn cost_bytes(&self, level: u32) -> usize {
        match level < LEVEL_OF_LIMITS {
            true => self.packed().len() + ENTRY_BYTES,
            false => self.full_bytes,
        }
    }
}

impl HeldStatic {
    /// What it counts for in `MAX_HELD_BYTES` at a level, its type and pool left out.
    pub(super) fn cost_bytes(&self, level: u32) -> usize {
        let StaticService {
            id,
            service_type,
            pool,
            location,
            properties,
        } = &*self.service;
        let pairs: usize = properties
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        let texts = id.len() + service_type.len() + pool.len() + location.len() + pairs;
        if level < LEVEL_OF_LIMITS {
            return texts + ENTRY_BYTES;
        }
        let json = json_service_bytes(id, None, [service_type, pool, location], properties.iter());
        texts + json + ANNOUNCEMENT_BYTES + MEMBER_BYTES
    }
}

impl Registry {
    /// Why an announcement cannot be taken whatever else is held: one line that names the field.
    ///
    /// What a node announces already, from a level without limits, it may go on announcing, and
    /// replace by what is no larger.
    pub fn objection(&self, announcement: &Announcement) -> Option<String> {
        let (services, location) = (announcement.services.len(), announcement.location.len());
        if services <= MAX_SERVICES && location <= MAX_LOCATION_BYTES {
            return None;
        }
        let held = self.held(&announcement.node_id).map(Held::unpack);
        let (held_services, held_location) =
            held.map_or((0, 0), |held| (held.services.len(), held.location.len()));
        if services > MAX_SERVICES.max(held_services) {
            return Some(format!(
                "services has {services} entries; the most is {MAX_SERVICES}"
            ));
        }
        (location > MAX_LOCATION_BYTES.max(held_location))
            .then(|| format!("location has {location} bytes; the most is {MAX_LOCATION_BYTES}"))
    }

    /// What counts against [`MAX_HELD_BYTES`](super::MAX_HELD_BYTES).
    pub fn counted_bytes(&self) -> usize {
        match self.level < LEVEL_OF_LIMITS {
            true => self.held_bytes,
            false => self.held_bytes + self.groups.bytes(),
        }
    }

    /// The same without types and pools, computed anew: entries count otherwise from some levels
    /// on.
    pub(super) fn recompute_held_bytes(&self) -> usize {
        let nodes = self.nodes.values().map(|held| held.cost_bytes(self.level));
        let statics = self
            .statics
            .values()
            .map(|held| held.cost_bytes(self.level));
        nodes.chain(statics).sum()
    }

    /// Whether an announcement has room in place of the node's last one. What counts no more than
    /// that always has.
    pub(super) fn fits_announcement(
        &self,
        before: Option<(&Held, &Unpacked<'_>)>,
        after: (&Held, &Unpacked<'_>),
    ) -> bool {
        let before_bytes = before.map_or(0, |(held, _)| held.cost_bytes(self.level));
        let after_bytes = after.0.cost_bytes(self.level);
        if self.level < LEVEL_OF_LIMITS {
            return self.fits(before_bytes, after_bytes);
        }
        // Far from the limit, groups need not be looked up one by one.
        let group_bytes = TYPE_BYTES + POOL_BYTES + after.1.pool.len();
        let most = after.0.packed().len() + after.1.services.len() * group_bytes;
        if self.counted_bytes() + after_bytes + most <= self.max_held_bytes {
            return true;
        }
        let (old, new) = (parts(before.map(|(_, node)| node)), parts(Some(after.1)));
        self.fits(
            before_bytes + self.groups.vanishing_bytes(&old, &new),
            after_bytes + self.groups.arising_bytes(new.keys().copied()),
        )
    }

    /// Whether a static service has room.
    pub(super) fn fits_static(&self, before: Option<&HeldStatic>, after: &HeldStatic) -> bool {
        let before_bytes = before.map_or(0, |held| held.cost_bytes(self.level));
        let mut after_bytes = after.cost_bytes(self.level);
        if self.level >= LEVEL_OF_LIMITS {
            let group = (&*after.service.service_type, &*after.service.pool);
            after_bytes += self.groups.arising_bytes([group].into_iter());
        }
        self.fits(before_bytes, after_bytes)
    }

    /// Whether there is room for `after` bytes in place of `before`.
    fn fits(&self, before: usize, after: usize) -> bool {
        after <= before || self.counted_bytes() - before + after <= self.max_held_bytes
    }
}

impl Groups {
    /// What groups count for that a node would be the first in.
    fn arising_bytes<'a>(&self, groups: impl Iterator<Item = (&'a str, &'a str)>) -> usize {
        groups
            .map(|(service_type, pool)| match self.of_type(service_type) {
                None => TYPE_BYTES + service_type.len() + POOL_BYTES + pool.len(),
                Some(of_type) if !of_type.pools.contains_key(pool) => POOL_BYTES + pool.len(),
                Some(_) => 0,
            })
            .sum()
    }

    /// What groups count for that would have no member once a node moved from `old` to `new`.
    fn vanishing_bytes(&self, old: &Parts<'_, '_>, new: &Parts<'_, '_>) -> usize {
        let new_types: BTreeSet<&str> = new.keys().map(|(service_type, _)| *service_type).collect();
        old.keys()
            .filter(|group| !new.contains_key(*group))
            .map(|(service_type, pool)| {
                let is_alone = self
                    .of_pool(service_type, pool)
                    .is_some_and(|group| group.nodes.len() == 1 && group.statics.is_empty());
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
