//! The memory cost of announcements and static services, and its limit [`MAX_HELD_BYTES`].
//!
//! From the feature level `LEVEL_OF_LIMITS` on, the actual cost is counted:
//!
//! | | bytes |
//! |---|---|
//! | an announcement | its packed text, its node id, and [`ANNOUNCEMENT_BYTES`] |
//! | each of its services | its JSON, since a lookup renders it |
//! | each of its types | [`MEMBER_BYTES`] |
//! | a static service | its texts, its JSON, [`ANNOUNCEMENT_BYTES`] and [`MEMBER_BYTES`] |
//! | a type | its name and [`TYPE_BYTES`], once for all nodes that announce it |
//! | a pool of a type | its name and [`POOL_BYTES`], once for all nodes that announce it |
//!
//! Before that level, an announcement is counted as its packed text and [`ENTRY_BYTES`], and a
//! static service as its texts and [`ENTRY_BYTES`].

use crate::model::json_service_bytes;
use crate::state::borrowed::BorrowedAnnouncement;

/// Maximum cost of announcements and static services, in bytes as counted in this module.
///
/// The limit keeps a misbehaving client from filling the memory of all nodes at once. 100,000
/// services of real engines cost about 103 MB. Every node must refuse the same writes, so another
/// limit, or another way of counting, requires a new [`LEVEL`](crate::LEVEL).
pub const MAX_HELD_BYTES: usize = 256 << 20;

/// Cost of an announcement or a static service in addition to its text, before `LEVEL_OF_LIMITS`.
pub(crate) const ENTRY_BYTES: usize = 512;

/// Cost of an announcement in addition to its text: its entries in two maps that may be half empty,
/// and two allocations.
pub(crate) const ANNOUNCEMENT_BYTES: usize = 384;

/// Cost of a node in each of its types: an entry in `PoolEntry::nodes` and one in
/// `PoolEntry::coordinators`, whose B-tree nodes may be half empty. A static service is charged the
/// same amount.
pub(crate) const MEMBER_BYTES: usize = 64;

/// Cost of a type in addition to its name: an entry in a map, and the map of its pools.
pub(crate) const TYPE_BYTES: usize = 448;

/// Cost of a pool of a type in addition to its name: its own entry, and the sets of its members.
pub(crate) const POOL_BYTES: usize = 576;

/// Returns the cost of an announcement, as counted from the feature level `LEVEL_OF_LIMITS` on. The
/// cost of types and pools, which all nodes share, is not included.
pub(crate) fn announcement_bytes(
    announcement: &BorrowedAnnouncement<'_>,
    packed_bytes: usize,
) -> usize {
    let BorrowedAnnouncement {
        node_id,
        pool,
        location,
        services,
    } = announcement;
    let mut json_bytes = 0;
    // Consecutive equal types are skipped, because most nodes announce services of one type.
    let mut types: Vec<&str> = Vec::new();
    for service in services {
        let texts = [service.service_type, pool, location];
        let properties = service.properties.iter().copied();
        json_bytes += json_service_bytes(service.id, Some(node_id), texts, properties);
        if types.last() != Some(&service.service_type) {
            types.push(service.service_type);
        }
    }
    types.sort_unstable();
    types.dedup();
    packed_bytes + node_id.len() + ANNOUNCEMENT_BYTES + json_bytes + types.len() * MEMBER_BYTES
}
