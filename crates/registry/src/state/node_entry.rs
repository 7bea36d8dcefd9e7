//! What the registry keeps of one announcement.

use crate::level::{LEVEL_OF_LIMITS, LEVEL_OF_SIPHASH};
use crate::model::{Announcement, Fingerprint};
use crate::state::cost::{ENTRY_BYTES, announcement_bytes};
use serde::Deserialize;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;
use std::sync::Arc;

/// One node's announcement as it is held.
///
/// The announcement itself is kept packed: parsed, one service costs over a kilobyte in maps and strings, and
/// 100,000 of them are to fit in 200 MB together with their rendered lookups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    packed: Arc<[u8]>,
    /// The digest of the announcement.
    pub digest: u128,
    /// It is removed by the first tick that brings cluster time to this, in cluster milliseconds.
    pub deadline_ms: u64,
    /// The log index at which the node came in; kept for as long as it stays in, and drawn anew when an announcement
    /// shares no service id with the one before: another process has taken the node's place.
    pub joined_index: u64,
    /// The log index at which its announcement last changed; a renewal is no change.
    pub changed_index: u64,
    /// The log index of its last accepted announcement or renewal.
    pub written_index: u64,
    /// What it counts for from `LEVEL_OF_LIMITS` on, see `cost`.
    pub(crate) full_bytes: usize,
}

/// An announcement in its packed form.
#[derive(Debug)]
pub(crate) struct Packed(Arc<[u8]>);

impl Packed {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn unpack(&self) -> Unpacked<'_> {
        postcard::from_bytes(&self.0).expect(PACKED)
    }
}

/// An announcement read in place from its packed form.
///
/// Its encoding is that of [`Announcement`], field by field: a map is encoded as a list of pairs.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Unpacked<'a> {
    pub node_id: &'a str,
    pub pool: &'a str,
    pub location: &'a str,
    #[serde(borrow)]
    pub services: Vec<UnpackedService<'a>>,
}

/// A service of [`Unpacked`].
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct UnpackedService<'a> {
    pub id: &'a str,
    pub service_type: &'a str,
    #[serde(borrow)]
    pub properties: Vec<(&'a str, &'a str)>,
}

impl<'a> UnpackedService<'a> {
    /// The value of a property.
    pub fn property(&self, name: &str) -> Option<&'a str> {
        self.properties
            .iter()
            .find_map(|(key, value)| (*key == name).then_some(*value))
    }

    /// Whether it says of its node that it is a coordinator, as Java's `Boolean.parseBoolean` reads it.
    pub fn says_coordinator(&self) -> bool {
        is_true(self.property("coordinator"))
    }
}

/// As Java's `Boolean.parseBoolean` reads a property that may be missing.
pub(crate) fn is_true(property: Option<&str>) -> bool {
    property.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

impl Held {
    /// Holds an announcement that came in with the entry at `index`; its deadline is still to be set.
    pub(crate) fn new(announcement: &Announcement, digest: u128, index: u64) -> Self {
        let names =
            announcement.node_id.len() + announcement.pool.len() + announcement.location.len();
        // At once, since to grow costs more than to encode. Packed otherwise it takes no more.
        let room = Vec::with_capacity(names + announcement.services.packed_bytes() + SLACK_BYTES);
        let packed = postcard::to_extend(announcement, room)
            .expect("encoding strings into memory cannot fail");
        Self::from_packed(packed.into(), announcement, digest, 0, [index; 3])
    }

    /// Holds what a snapshot holds; `packed` was read as this announcement before.
    pub(crate) fn from_packed(
        packed: Arc<[u8]>,
        announcement: &Announcement,
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

    /// The announcement.
    pub fn announcement(&self) -> Announcement {
        postcard::from_bytes(&self.packed).expect(PACKED)
    }

    pub(crate) fn unpack(&self) -> Unpacked<'_> {
        postcard::from_bytes(&self.packed).expect(PACKED)
    }

    /// Its announcement, to be read while this is changed, or after it was.
    pub(crate) fn share(&self) -> Packed {
        Packed(self.packed.clone())
    }

    pub(crate) fn packed(&self) -> &[u8] {
        &self.packed
    }

    /// What it counts for in `MAX_HELD_BYTES` at a level, its types and pools left out.
    pub(crate) fn cost_bytes(&self, level: u32) -> usize {
        match level < LEVEL_OF_LIMITS {
            true => self.packed().len() + ENTRY_BYTES,
            false => self.full_bytes,
        }
    }

    /// Its part of the registry's digest at a level.
    pub(crate) fn element(&self, level: u32) -> u128 {
        match level < LEVEL_OF_SIPHASH {
            true => self.sha_element(),
            false => self.sip_element(),
        }
    }

    /// What is fed in, and in what order, is part of the wire between releases.
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

/// Lengths beside the texts of an announcement.
const SLACK_BYTES: usize = 64;

const PACKED: &str =
    "packed bytes come from an announcement, or were read as one with their snapshot";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::LEVEL;

    fn held(digest: u128, deadline_ms: u64, indexes: [u64; 3]) -> Held {
        let announcement = Announcement {
            node_id: String::new(),
            pool: String::new(),
            location: String::new(),
            services: Vec::new().into(),
        };
        Held::from_packed(Arc::from([]), &announcement, digest, deadline_ms, indexes)
    }

    /// What nodes of two releases compare stays what it is, and each of its parts counts. The value is that of another SipHash-1-3.
    #[test]
    fn an_element_stays_what_it_is() {
        let digest = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f;
        let element = held(digest, 34_000, [7, 8, 9]).element(LEVEL);
        assert_eq!(element, 0xb847_14ce_ab1b_24bf_1c8f_7f99_3796_a8f9);
        for other in [
            held(digest + 1, 34_000, [7, 8, 9]),
            held(digest, 34_001, [7, 8, 9]),
            held(digest, 34_000, [6, 8, 9]),
            held(digest, 34_000, [7, 7, 9]),
            held(digest, 34_000, [7, 8, 8]),
        ] {
            assert_ne!(other.element(LEVEL), element);
        }
    }
}
