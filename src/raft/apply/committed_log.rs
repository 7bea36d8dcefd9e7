//! Reads the committed log of a stopped node.
//!
//! Operators read this log. Checkers compare the log with the responses that clients received. The
//! header `Quorate-Index` of a response names a log index.

use super::state_machine::registry_of;
use crate::registry::{Change, Command, Outcome, Registry};
use crate::storage::Store;
use crate::storage::types::{Entry, leadership};
use openraft::EntryPayload;
use openraft::storage::{RaftLogReader, RaftLogStorage};
use openraft::vote::RaftLeaderId;
use std::io;

/// Number of log entries that are read at once.
const ENTRIES_PER_READ: u64 = 256;

/// One committed entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedEntry {
    /// The log index of the entry.
    pub index: u64,
    /// The term in which the entry was proposed.
    pub term: u64,
    /// The content of the entry.
    pub content: EntryContent,
    /// The effect of the entry; `None` if the snapshot already covers the entry.
    pub effect: Option<EntryEffect>,
}

/// The content of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryContent {
    /// No content. A new leader's first entry is blank.
    Blank,
    /// The membership from this entry on.
    Membership(String),
    /// Changes of the registry.
    Commands(Vec<Command>),
}

/// The effect of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryEffect {
    /// The outcome of each command.
    pub outcomes: Vec<Outcome>,
    /// The changes to each type and pool.
    pub changes: Vec<Change>,
}

/// Calls `each` with each committed entry that is still on disk, in order. The effects of the
/// entries are determined by applying the entries to an empty registry, or to the snapshot if the
/// first entry was purged.
///
/// # Errors
/// When the disk cannot be read or trusted.
pub async fn committed_log(store: &Store, mut each: impl FnMut(CommittedEntry)) -> io::Result<()> {
    let mut log = store.log_store();
    let purged = log.get_log_state().await?.last_purged_log_id;
    let snapshot = match purged {
        // Nothing was purged. The complete log gives the effect of every entry, and a snapshot
        // would hide the effects of the entries that it covers.
        None => None,
        Some(_) => store.snapshots().load()?,
    };
    let (mut registry, covered) = match snapshot {
        None => (Registry::new(""), None),
        Some((_, data)) => {
            let registry = registry_of(&data)?;
            let covered = registry.applied_index();
            (registry, Some(covered))
        }
    };
    let Some(committed) = log.read_committed().await? else {
        return Ok(());
    };
    let mut next = purged.map_or(0, |purged| purged.index + 1);
    while next <= committed.index {
        let end = (next + ENTRIES_PER_READ).min(committed.index + 1);
        for entry in log.try_get_log_entries(next..end).await? {
            let is_new = covered.is_none_or(|covered| entry.log_id.index > covered);
            each(committed_entry(&mut registry, &entry, is_new));
        }
        next = end;
    }
    Ok(())
}

/// Describes an entry. If the entry `is_new` (not covered by the snapshot), applies the entry to
/// the rebuilt registry to determine its effect.
fn committed_entry(registry: &mut Registry, entry: &Entry, is_new: bool) -> CommittedEntry {
    let index = entry.log_id.index;
    let content = match &entry.payload {
        EntryPayload::Blank => EntryContent::Blank,
        EntryPayload::Membership(membership) => EntryContent::Membership(membership.to_string()),
        EntryPayload::Normal(proposal) => EntryContent::Commands(proposal.0.commands.clone()),
    };
    let effect = is_new.then(|| {
        let outcomes = match &entry.payload {
            EntryPayload::Normal(proposal) => {
                registry.apply_proposed(index, leadership(&entry.log_id), &proposal.0)
            }
            _ => {
                registry.advance(index);
                Vec::new()
            }
        };
        EntryEffect {
            outcomes,
            changes: registry.take_changes(),
        }
    });
    CommittedEntry {
        index,
        term: entry.log_id.committed_leader_id().term(),
        content,
        effect,
    }
}
