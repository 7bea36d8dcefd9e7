//! The committed log of a stopped node. Operators read it, and checkers compare what clients saw
//! with it, by `Quorate-Index`.

use super::state_machine::registry_of;
use crate::registry::{Change, Command, Outcome, Registry};
use crate::storage::Store;
use crate::storage::types::{Entry, leadership};
use openraft::EntryPayload;
use openraft::storage::{RaftLogReader, RaftLogStorage};
use openraft::vote::RaftLeaderId;
use std::io;

/// Entries read at once.
const ENTRIES_PER_READ: u64 = 256;

/// One committed entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedEntry {
    /// Its log index.
    pub index: u64,
    /// The term that it was proposed in.
    pub term: u64,
    /// What it carries.
    pub content: Content,
    /// What became of it; none for an entry that the snapshot covers already.
    pub effect: Option<Effect>,
}

/// What an entry carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing: a leader begins with one.
    Blank,
    /// The members from here on.
    Membership(String),
    /// Changes of the registry.
    Commands(Vec<Command>),
}

/// What an entry did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// What came of each command.
    pub outcomes: Vec<Outcome>,
    /// What it did to each type and pool.
    pub changes: Vec<Change>,
}

/// Gives each committed entry that is still on disk, in order, with what became of it: the registry is made again, from the
/// beginning or from the snapshot on.
///
/// # Errors
/// When the disk cannot be read or trusted.
pub async fn committed_log(store: &Store, mut each: impl FnMut(CommittedEntry)) -> io::Result<()> {
    let mut log = store.log_store();
    let purged = log.get_log_state().await?.last_purged_log_id;
    let snapshot = match purged {
        // The whole log is there, and says more than a snapshot.
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

fn committed_entry(registry: &mut Registry, entry: &Entry, is_new: bool) -> CommittedEntry {
    let index = entry.log_id.index;
    let content = match &entry.payload {
        EntryPayload::Blank => Content::Blank,
        EntryPayload::Membership(membership) => Content::Membership(membership.to_string()),
        EntryPayload::Normal(proposal) => Content::Commands(proposal.0.commands.clone()),
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
        Effect {
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
