//! What entries count for, and the most that they may.
//!
//! From `LEVEL_OF_LIMITS` on, what an entry counts for is what it costs:
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

use crate::model::{Announcement, json_service_bytes};

/// The most that announcements and statics may take, in bytes as they are counted here.
///
/// It keeps a client gone wild from filling the memory of all nodes at once. 100,000 services of
/// real engines take about 103 MB of it. Every node must refuse alike: another value, and another
/// way to count, is a new [`LEVEL`](crate::LEVEL).
pub const MAX_HELD_BYTES: usize = 256 << 20;

/// What an entry counts for beside its text, before `LEVEL_OF_LIMITS`.
pub(crate) const ENTRY_BYTES: usize = 512;

/// What an announcement takes beside its text: its places in two maps that may be half empty, and
/// two allocations.
pub(crate) const ANNOUNCEMENT_BYTES: usize = 384;

/// What a node takes in each of its types: a place in two sets that may be half empty.
pub(crate) const MEMBER_BYTES: usize = 64;

/// What a type takes beside its name: a place in a map, and the map of its pools.
pub(crate) const TYPE_BYTES: usize = 448;

/// What a pool of a type takes beside its name: itself, and the sets of its members.
pub(crate) const POOL_BYTES: usize = 576;

/// What an announcement counts for from `LEVEL_OF_LIMITS` on, its types and pools left out.
pub(crate) fn announcement_bytes(announcement: &Announcement, packed_bytes: usize) -> usize {
    let Announcement {
        node_id,
        pool,
        location,
        services,
    } = announcement;
    let mut json_bytes = 0;
    // Without repeats in a row: most nodes announce services of one type.
    let mut types: Vec<&str> = Vec::new();
    for service in services.iter() {
        let texts = [service.service_type, pool, location];
        json_bytes += json_service_bytes(service.id, Some(node_id), texts, service.properties);
        if types.last() != Some(&service.service_type) {
            types.push(service.service_type);
        }
    }
    types.sort_unstable();
    types.dedup();
    packed_bytes + node_id.len() + ANNOUNCEMENT_BYTES + json_bytes + types.len() * MEMBER_BYTES
}
