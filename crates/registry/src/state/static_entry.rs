//! The stored form of one static service.

use crate::level::LEVEL_OF_LIMITS;
use crate::model::{Fingerprint, StaticService, json_service_bytes};
use crate::state::cost::{ANNOUNCEMENT_BYTES, ENTRY_BYTES, MEMBER_BYTES};
use std::sync::Arc;

/// One stored static service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StaticEntry {
    pub(crate) service: Arc<StaticService>,
    pub(crate) changed_index: u64,
}

impl StaticEntry {
    /// Returns the cost that counts towards `MAX_HELD_BYTES` at a feature level, without its type
    /// and pool.
    pub(crate) fn cost_bytes(&self, level: u32) -> usize {
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

    /// Returns the element of the static service: its part of the registry's digest.
    pub(crate) fn element(&self) -> u128 {
        let service = &self.service;
        Fingerprint::of("static")
            .text(&service.id)
            .text(&service.service_type)
            .text(&service.pool)
            .text(&service.location)
            .map(service.properties.iter())
            .number(self.changed_index)
            .finish()
    }
}
