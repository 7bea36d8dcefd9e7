//! The recent changes of this node's registry, and the subscribers that wait for the next one.

use crate::locks::lock;
use crate::model::Lookup;
use crate::registry::Change;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::watch;

/// Maximum number of changes kept for readers that reconnect. At a hundred changes a second, far
/// more than engines cause, the kept changes cover more than a minute and a half.
const MAX_CHANGES: usize = 10_000;
/// Maximum total size of the kept changes. A limit on their number is not enough, since one change
/// may be as large as the announcement that made it.
const MAX_CHANGES_BYTES: usize = 8 << 20;
/// Overhead of a kept change beyond its bytes: the struct, and its places in the queues `by_type`
/// and `order`, rounded up.
const CHANGE_OVERHEAD_BYTES: usize = 256;

/// The constant parts of a change's JSON, around its lists `removed` and `services`.
const BEFORE_REMOVED: &[u8] = b"{\"removed\":[";
const BEFORE_SERVICES: &[u8] = b"],\"services\":[";
const AFTER_SERVICES: &[u8] = b"]}";

/// The effect of one log entry on one lookup, as the JSON of a watch event: the removed services
/// and the new ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupChange {
    /// The entry's log index.
    pub index: u64,
    /// `{"removed":[...],"services":[...]}`
    pub json: Bytes,
}

/// The kept changes, and a channel for each lookup that has subscribers.
///
/// - Changes are in order of their indexes. No change after the index `floor` is missing.
/// - A lookup has a channel exactly while a [`Subscription`] to the lookup exists. There are
///   therefore at most as many channels as waiting clients.
/// - A channel is notified of a change only after the registry shows the change.
#[derive(Debug, Default)]
pub(crate) struct ChangeHistory(Mutex<HistoryState>);

/// The content of the history.
#[derive(Debug, Default)]
struct HistoryState {
    by_type: BTreeMap<Arc<str>, VecDeque<Arc<RecordedChange>>>,
    /// The service type of each kept change, from the oldest change to the newest.
    order: VecDeque<Arc<str>>,
    bytes: usize,
    /// Changes up to this index may have been dropped.
    floor: u64,
    channels: BTreeMap<Lookup, watch::Sender<u64>>,
}

/// A kept change of one type and pool.
#[derive(Debug)]
struct RecordedChange {
    pool: String,
    index: u64,
    /// The JSON of a watch event with this change alone. It is used if the log entry made no other
    /// change that the lookup covers.
    json: Bytes,
    /// The two lists, as slices of `json`.
    removed: Bytes,
    services: Bytes,
    /// The JSON of all changes that the log entry made to pools of this type, rendered for the
    /// first reader and shared by all readers. It is needed only if the log entry changed several
    /// pools of the type, and is stored only in the change of the first of these pools. At most it
    /// doubles the size of the log entry's changes.
    of_all_pools: OnceLock<Bytes>,
}

impl ChangeHistory {
    /// Creates an empty history that starts after the log index `floor`.
    pub(crate) fn starting_at(floor: u64) -> ChangeHistory {
        ChangeHistory(Mutex::new(HistoryState {
            floor,
            ..HistoryState::default()
        }))
    }

    /// Stores the changes of one log entry. The caller must still hold the registry's lock under
    /// which it applied the entry. Otherwise a reader of the new state might not find the changes
    /// here.
    pub(crate) fn keep(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let mut history = lock(&self.0);
        for change in changes {
            history.push(change);
        }
    }

    /// Notifies the subscribers of the lookups affected by `changes`.
    pub(crate) fn notify(&self, changes: &[Change]) {
        // Send without the lock, because the notified subscribers take the lock immediately.
        for (channel, index) in self.channels_of(changes) {
            channel.send_replace(index);
        }
    }

    /// Returns the channels of the lookups affected by `changes`, each with the index of the
    /// change.
    fn channels_of(&self, changes: &[Change]) -> Vec<(watch::Sender<u64>, u64)> {
        if changes.is_empty() {
            return Vec::new();
        }
        let history = lock(&self.0);
        if history.channels.is_empty() {
            return Vec::new();
        }
        let mut channels = Vec::new();
        for change in changes {
            let (service_type, pool) = (change.service_type.clone(), change.pool.clone());
            for lookup in [
                Lookup::All,
                Lookup::Type(service_type.clone()),
                Lookup::TypeAndPool(service_type, pool),
            ] {
                if let Some(channel) = history.channels.get(&lookup) {
                    channels.push((channel.clone(), change.index));
                }
            }
        }
        channels
    }

    /// Restarts the history after a snapshot at `index` replaced the state. The changes that led to
    /// that state are unknown, so every subscriber must read the state again.
    pub(crate) fn start_over(&self, index: u64) {
        let mut history = lock(&self.0);
        history.by_type.clear();
        history.order.clear();
        history.bytes = 0;
        history.floor = index;
        for channel in history.channels.values() {
            channel.send_replace(index);
        }
    }

    /// Subscribes to changes of a lookup from now on.
    pub(crate) fn subscribe(self: &Arc<Self>, lookup: &Lookup) -> Subscription {
        let mut history = lock(&self.0);
        let channel = history.channels.entry(lookup.clone()).or_default();
        Subscription {
            receiver: Some(channel.subscribe()),
            lookup: lookup.clone(),
            changes: self.clone(),
        }
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn subscriptions(&self) -> usize {
        let history = lock(&self.0);
        history
            .channels
            .values()
            .map(watch::Sender::receiver_count)
            .sum()
    }

    /// Returns the changes of a lookup after `index`, in order, or `None` when some of them may
    /// have been dropped.
    fn since(&self, lookup: &Lookup, index: u64) -> Option<Vec<LookupChange>> {
        let history = lock(&self.0);
        if index < history.floor {
            return None;
        }
        let (service_type, pool) = match lookup {
            Lookup::Type(service_type) => (service_type, None),
            Lookup::TypeAndPool(service_type, pool) => (service_type, Some(pool)),
            Lookup::All | Lookup::Statics => return None,
        };
        let Some(of_type) = history.by_type.get(service_type.as_str()) else {
            return Some(Vec::new());
        };
        let from = of_type.partition_point(|change| change.index <= index);
        let later: Vec<Arc<RecordedChange>> = of_type
            .range(from..)
            .filter(|change| pool.is_none_or(|pool| *pool == change.pool))
            .cloned()
            .collect();
        // Release the lock before the merge, because the merge takes time and applying an entry
        // needs the lock.
        drop(history);
        Some(
            later
                .chunk_by(|one, other| one.index == other.index)
                .map(merged)
                .collect(),
        )
    }
}

impl HistoryState {
    /// Appends a change and drops the oldest ones beyond the limits.
    fn push(&mut self, change: &Change) {
        let service_type: Arc<str> = match self.by_type.get_key_value(&*change.service_type) {
            Some((service_type, _)) => service_type.clone(),
            None => Arc::from(change.service_type.as_str()),
        };
        let change = RecordedChange::of(change);
        self.bytes += change.cost_bytes(&service_type);
        self.order.push_back(service_type.clone());
        self.by_type
            .entry(service_type)
            .or_default()
            .push_back(Arc::new(change));
        while self.order.len() > MAX_CHANGES || self.bytes > MAX_CHANGES_BYTES {
            self.drop_oldest();
        }
    }

    /// Drops the oldest change, and raises `floor` to its index.
    fn drop_oldest(&mut self) {
        let Some(service_type) = self.order.pop_front() else {
            return;
        };
        if let Some(of_type) = self.by_type.get_mut(&service_type) {
            if let Some(oldest) = of_type.pop_front() {
                self.bytes -= oldest.cost_bytes(&service_type);
                self.floor = self.floor.max(oldest.index);
            }
            if of_type.is_empty() {
                self.by_type.remove(&service_type);
            }
        }
    }
}

impl RecordedChange {
    fn of(change: &Change) -> RecordedChange {
        let lists = change.removed.len() + change.services.len();
        let json = event(lists, [&change.removed], [&change.services]);
        let removed_end = BEFORE_REMOVED.len() + change.removed.len();
        let services_end = json.len() - AFTER_SERVICES.len();
        RecordedChange {
            pool: change.pool.clone(),
            index: change.index,
            removed: json.slice(BEFORE_REMOVED.len()..removed_end),
            services: json.slice(services_end - change.services.len()..services_end),
            of_all_pools: OnceLock::new(),
            json,
        }
    }

    /// Returns the size of this change, including the name of its type, which may be stored for
    /// this change alone.
    fn cost_bytes(&self, service_type: &str) -> usize {
        self.json.len() + self.pool.len() + service_type.len() + CHANGE_OVERHEAD_BYTES
    }
}

/// Merges the changes that one log entry made to a lookup. Usually they are in a single pool.
fn merged(of_one_entry: &[Arc<RecordedChange>]) -> LookupChange {
    let json = match of_one_entry {
        [one] => one.json.clone(),
        [] => Bytes::new(),
        several @ [first, ..] => {
            let made = first.of_all_pools.get_or_init(|| {
                event(
                    several.iter().map(|change| change.json.len()).sum(),
                    several.iter().map(|change| &change.removed),
                    several.iter().map(|change| &change.services),
                )
            });
            made.clone()
        }
    };
    LookupChange {
        index: of_one_entry.first().map_or(0, |change| change.index),
        json,
    }
}

/// Encodes the JSON of a change from lists, omitting empty lists. `list_bytes` is the approximate
/// size of all lists.
fn event<L: AsRef<[u8]>>(
    list_bytes: usize,
    removed: impl IntoIterator<Item = L>,
    services: impl IntoIterator<Item = L>,
) -> Bytes {
    let around = BEFORE_REMOVED.len() + BEFORE_SERVICES.len() + AFTER_SERVICES.len();
    let mut json = Vec::with_capacity(around + list_bytes);
    json.extend_from_slice(BEFORE_REMOVED);
    push_joined(&mut json, removed);
    json.extend_from_slice(BEFORE_SERVICES);
    push_joined(&mut json, services);
    json.extend_from_slice(AFTER_SERVICES);
    json.into()
}

/// Appends the lists to the JSON, separated by commas.
fn push_joined<L: AsRef<[u8]>>(json: &mut Vec<u8>, lists: impl IntoIterator<Item = L>) {
    let begin = json.len();
    for list in lists.into_iter() {
        let list = list.as_ref();
        if json.len() > begin && !list.is_empty() {
            json.push(b',');
        }
        json.extend_from_slice(list);
    }
}

/// A subscription to the changes of one lookup.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// `None` only during drop.
    receiver: Option<watch::Receiver<u64>>,
    lookup: Lookup,
    changes: Arc<ChangeHistory>,
}

impl Subscription {
    /// Waits until the lookup has changed since the last call, or, in the first call, since the
    /// subscription was created. Never returns if no change can be reported any more.
    pub(crate) async fn changed(&mut self) {
        let still_there = match &mut self.receiver {
            Some(receiver) => receiver.changed().await.is_ok(),
            None => false,
        };
        if !still_there {
            std::future::pending::<()>().await;
        }
    }

    /// Returns the changes of the lookup after `index`, in order, or `None` when some of them may
    /// have been dropped.
    pub(crate) fn since(&self, index: u64) -> Option<Vec<LookupChange>> {
        self.changes.since(&self.lookup, index)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.receiver = None;
        let mut history = lock(&self.changes.0);
        if history
            .channels
            .get(&self.lookup)
            .is_some_and(|channel| channel.receiver_count() == 0)
        {
            history.channels.remove(&self.lookup);
        }
    }
}

#[cfg(test)]
mod tests;
