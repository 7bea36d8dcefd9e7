//! The stored form of one announcement.

use crate::level::{LEVEL_OF_LIMITS, LEVEL_OF_SIPHASH};
use crate::model::{Announcement, Fingerprint};
use crate::state::borrowed::BorrowedAnnouncement;
use crate::state::cost::{ENTRY_BYTES, announcement_bytes};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;
use std::sync::Arc;

/// The stored announcement of one node.
///
/// The announcement is stored packed, because 100,000 services should fit in 200 MB together with
/// their rendered lookups. In parsed form, maps and strings take more than a kilobyte for one
/// service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeEntry {
    packed: Arc<[u8]>,
    /// The digest of the announcement.
    pub digest: u128,
    /// The cluster time at which the node expires, in milliseconds. The first tick that advances
    /// cluster time to this value or beyond it removes the node.
    pub deadline_ms: u64,
    /// The log index at which the node joined. Later announcements of the same process do not
    /// change this index. An announcement that has no service id in common with the previous
    /// announcement resets the index, because another process has taken over the node id.
    pub joined_index: u64,
    /// The log index at which the node's announcement last changed; a renewal is not a change.
    pub changed_index: u64,
    /// The log index of the node's last accepted announcement or renewal.
    pub written_index: u64,
    /// Cost of the announcement from `LEVEL_OF_LIMITS` on, in bytes, without its types and pools
    /// (`state::cost`).
    pub(crate) full_bytes: usize,
}

/// An announcement in its packed form.
#[derive(Debug)]
pub(crate) struct PackedAnnouncement(Arc<[u8]>);

impl PackedAnnouncement {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the announcement, which borrows from the packed bytes.
    pub(crate) fn unpack(&self) -> BorrowedAnnouncement<'_> {
        postcard::from_bytes(&self.0).expect(PACKED)
    }
}

impl NodeEntry {
    /// Creates the stored form of an announcement that is applied at the log index `index`. The
    /// caller sets the deadline.
    pub(crate) fn new(announcement: &BorrowedAnnouncement<'_>, digest: u128, index: u64) -> Self {
        // The capacity is reserved up front for most announcements, since reallocation costs more
        // than encoding. The final `Arc` has no spare capacity in any case.
        let room = Vec::with_capacity(PACKED_CAPACITY_BYTES);
        let packed = postcard::to_extend(announcement, room)
            .expect("encoding strings into memory cannot fail");
        Self::from_packed(packed.into(), announcement, digest, 0, [index; 3])
    }

    /// Restores the stored form from a snapshot; `packed` is the encoding of `announcement`.
    pub(crate) fn from_packed(
        packed: Arc<[u8]>,
        announcement: &BorrowedAnnouncement<'_>,
        digest: u128,
        deadline_ms: u64,
        [joined, changed, written]: [u64; 3],
    ) -> Self {
        Self {
            full_bytes: announcement_bytes(announcement, packed.len()),
            packed,
            digest,
            deadline_ms,
            joined_index: joined,
            changed_index: changed,
            written_index: written,
        }
    }

    /// Returns the announcement.
    pub fn announcement(&self) -> Announcement {
        postcard::from_bytes(&self.packed).expect(PACKED)
    }

    /// Returns the announcement, which borrows from the packed bytes.
    pub(crate) fn unpack(&self) -> BorrowedAnnouncement<'_> {
        postcard::from_bytes(&self.packed).expect(PACKED)
    }

    /// Returns the packed announcement, which stays readable while this entry is modified and
    /// afterwards.
    pub(crate) fn share(&self) -> PackedAnnouncement {
        PackedAnnouncement(self.packed.clone())
    }

    pub(crate) fn packed(&self) -> &[u8] {
        &self.packed
    }

    /// Returns the cost that counts towards `MAX_HELD_BYTES` at a feature level, without types and
    /// pools.
    pub(crate) fn cost_bytes(&self, level: u32) -> usize {
        match level < LEVEL_OF_LIMITS {
            true => self.packed().len() + ENTRY_BYTES,
            false => self.full_bytes,
        }
    }

    /// Returns the node's element at a feature level: the node's part of the registry's digest.
    pub(crate) fn element(&self, level: u32) -> u128 {
        match level < LEVEL_OF_SIPHASH {
            true => self.sha_element(),
            false => self.sip_element(),
        }
    }

    /// Returns the element with SipHash. The fields that are hashed, and their order, are part of
    /// the wire format between releases.
    fn sip_element(&self) -> u128 {
        let mut hasher = SipHasher13::new();
        hasher.write(&self.digest.to_le_bytes());
        for number in [
            self.deadline_ms,
            self.joined_index,
            self.changed_index,
            self.written_index,
        ] {
            hasher.write(&number.to_le_bytes());
        }
        u128::from(hasher.finish128())
    }

    fn sha_element(&self) -> u128 {
        Fingerprint::of("node")
            .digest(self.digest)
            .number(self.deadline_ms)
            .number(self.joined_index)
            .number(self.changed_index)
            .number(self.written_index)
            .finish()
    }
}

/// Initial capacity in bytes for packing an announcement. It suffices for an engine.
const PACKED_CAPACITY_BYTES: usize = 1_024;

const PACKED: &str =
    "packed bytes come from an announcement, or were read as one with their snapshot";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::LEVEL;

    fn entry(digest: u128, deadline_ms: u64, indexes: [u64; 3]) -> NodeEntry {
        let announcement = BorrowedAnnouncement {
            node_id: "",
            pool: "",
            location: "",
            services: Vec::new(),
        };
        NodeEntry::from_packed(Arc::from([]), &announcement, digest, deadline_ms, indexes)
    }

    /// The element of a node (its part of the digest of the state) is compared between nodes of two
    /// releases. It is stable, and depends on each of its inputs. The expected value is from
    /// another implementation of SipHash-1-3.
    #[test]
    fn an_element_stays_what_it_is() {
        let digest = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f;
        let element = entry(digest, 34_000, [7, 8, 9]).element(LEVEL);
        assert_eq!(element, 0xb847_14ce_ab1b_24bf_1c8f_7f99_3796_a8f9);
        for other in [
            entry(digest + 1, 34_000, [7, 8, 9]),
            entry(digest, 34_001, [7, 8, 9]),
            entry(digest, 34_000, [6, 8, 9]),
            entry(digest, 34_000, [7, 7, 9]),
            entry(digest, 34_000, [7, 8, 8]),
        ] {
            assert_ne!(other.element(LEVEL), element);
        }
    }
}
