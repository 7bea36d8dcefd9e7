//! The effects of one log entry on each type and pool, for watchers.

use crate::model::{StaticService, write_json_service, write_json_string};
use crate::state::borrowed::{BorrowedAnnouncement, BorrowedService};
use crate::state::by_id::by_id;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The effect of one log entry on one type in one pool.
///
/// Several changes by one entry are combined. Otherwise, a reader whose connection closes between
/// two changes could not tell the server which changes it has received.
///
/// - A reader that has the services from before the entry deletes the services in `removed` and
///   then inserts the services in `services`. The reader then has the services from after the
///   entry.
/// - A service is identified by its node and its id; a static service by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The type.
    pub service_type: String,
    /// The pool.
    pub pool: String,
    /// The entry's log index.
    pub index: u64,
    /// The removed services: objects of `id`, `nodeId`, `type` and `pool`, separated by commas.
    pub removed: Vec<u8>,
    /// The added or changed services, as in a lookup, separated by commas.
    pub services: Vec<u8>,
}

/// The effects of the log entry that is being applied, by type and pool.
#[derive(Debug, Default)]
pub(crate) struct EntryChanges(BTreeMap<(String, String), BTreeMap<ServiceKey, MemberChange>>);

/// The key of a service: its node, if it has one, and its id.
type ServiceKey = (Option<Arc<str>>, String);

/// The effect on one service.
#[derive(Debug)]
enum MemberChange {
    Removed,
    /// The service as JSON.
    Put(Vec<u8>),
}

impl EntryChanges {
    /// Returns one change for each type and pool, for the entry at `index`.
    pub fn into_changes(self, index: u64) -> Vec<Change> {
        let effects = self.0.into_iter();
        effects
            .map(|((service_type, pool), services)| change(service_type, pool, index, services))
            .collect()
    }

    /// Discards the effects of the previous log entry, whether they were taken or not.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Records the effects on a node's services of one type and pool, given the services before and
    /// after the entry. Nothing is recorded for an unchanged service if the node's location is
    /// unchanged too (`same_place`).
    pub fn of_node(
        &mut self,
        [service_type, pool]: [&str; 2],
        node_id: &Arc<str>,
        before: &[&BorrowedService<'_>],
        after: Option<(&BorrowedAnnouncement<'_>, &[&BorrowedService<'_>])>,
        same_place: bool,
    ) {
        let effects = self.effects_on(service_type, pool);
        let services = after.map_or(&[][..], |(_, services)| services);
        for pair in by_id(before, services) {
            let (id, effect) = match pair {
                (Some(gone), None) => (gone.id, MemberChange::Removed),
                (Some(old), Some(new)) if same_place && old == new => continue,
                (_, Some(new)) => match after {
                    Some((node, _)) => (new.id, MemberChange::Put(json_of(node, new))),
                    None => continue,
                },
                (None, None) => continue,
            };
            effects.insert((Some(node_id.clone()), id.to_owned()), effect);
        }
    }

    /// Records that a static service was added or changed.
    pub fn static_put(&mut self, service: &StaticService) {
        let mut json = Vec::new();
        service.write_json(&mut json);
        self.effects_on(&service.service_type, &service.pool)
            .insert((None, service.id.clone()), MemberChange::Put(json));
    }

    /// Records that a static service was removed.
    pub fn static_removed(&mut self, service: &StaticService) {
        self.effects_on(&service.service_type, &service.pool)
            .insert((None, service.id.clone()), MemberChange::Removed);
    }

    fn effects_on(
        &mut self,
        service_type: &str,
        pool: &str,
    ) -> &mut BTreeMap<ServiceKey, MemberChange> {
        self.0
            .entry((service_type.to_owned(), pool.to_owned()))
            .or_default()
    }
}

/// Initial capacity for the JSON of a service. It suffices for an engine's service, so that the
/// buffer need not grow.
const SERVICE_CAPACITY_BYTES: usize = 512;

/// Returns the JSON of a node's service, as in a lookup.
fn json_of(node: &BorrowedAnnouncement<'_>, service: &BorrowedService<'_>) -> Vec<u8> {
    let (id, node_id) = (service.id, Some(node.node_id));
    let texts = [service.service_type, node.pool, node.location];
    let properties = service.properties.iter().copied();
    let mut json = Vec::with_capacity(SERVICE_CAPACITY_BYTES);
    write_json_service(&mut json, id, node_id, texts, properties);
    json
}

/// Renders the effects on one type and pool as a change.
fn change(
    service_type: String,
    pool: String,
    index: u64,
    effects: BTreeMap<ServiceKey, MemberChange>,
) -> Change {
    let (mut removed, mut services) = (Vec::new(), Vec::new());
    for ((node_id, id), effect) in effects {
        match effect {
            MemberChange::Put(json) => next(&mut services).extend_from_slice(&json),
            MemberChange::Removed => write_removed(
                next(&mut removed),
                &id,
                node_id.as_deref(),
                [&service_type, &pool],
            ),
        }
    }
    Change {
        service_type,
        pool,
        index,
        removed,
        services,
    }
}

fn next(list: &mut Vec<u8>) -> &mut Vec<u8> {
    if !list.is_empty() {
        list.push(b',');
    }
    list
}

/// Writes the JSON object that identifies a removed service.
fn write_removed(
    out: &mut Vec<u8>,
    id: &str,
    node_id: Option<&str>,
    [service_type, pool]: [&str; 2],
) {
    out.extend_from_slice(b"{\"id\":");
    write_json_string(out, id);
    if let Some(node_id) = node_id {
        out.extend_from_slice(b",\"nodeId\":");
        write_json_string(out, node_id);
    }
    out.extend_from_slice(b",\"type\":");
    write_json_string(out, service_type);
    out.extend_from_slice(b",\"pool\":");
    write_json_string(out, pool);
    out.push(b'}');
}
