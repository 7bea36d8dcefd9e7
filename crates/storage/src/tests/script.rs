//! A script of writes, the state that each step must leave, and a reader of the content of a disk.

use crate::log::recovered_state::RecoveredState;
use crate::open::open_directory;
use crate::types::{
    Entry, LogId, Member, Proposal, SnapshotMeta, StoredMembership, TypeConfig, Vote,
};
use crate::vfs::sim::{DiskChange, DiskImage, SimFs};
use crate::{BlockingExecutor, GroupIdentity, Identity, LogStore, OpenError, Store};
use openraft::Membership;
use openraft::entry::EntryPayload;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::vote::RaftLeaderId;
use quorate_registry::{Batch, Command};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// Size of the simulated disk: enough for every script.
pub(super) const CAPACITY: u64 = 64 << 20;

pub(super) fn dir() -> PathBuf {
    PathBuf::from("/data/raft")
}

/// A step of a script: one operation on the store.
#[derive(Debug, Clone)]
pub(super) enum ScriptStep {
    Identity(u64),
    Vote(u64, bool),
    /// Appends entries of these sizes in one call.
    Append(Vec<usize>),
    /// Appends entries of these sizes, each in its own call, without waiting for the previous
    /// calls.
    Burst(Vec<usize>),
    /// Truncates the log after an index.
    Truncate(u64),
    Committed(u64),
    /// Saves a snapshot of the log up to an index, of this many bytes.
    Snapshot(u64, usize),
    Purge(u64),
    Wipe,
    Reopen,
}

/// The content of a data directory.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Contents {
    pub(super) recovered: RecoveredState,
    pub(super) entries: Vec<Entry>,
    pub(super) snapshot: Option<(SnapshotMeta, Vec<u8>)>,
}

impl Contents {
    /// Returns whether the database content is equal. The committed id is ignored, because it is
    /// only written along with other operations and may lag.
    pub(super) fn same_log(&self, other: &Self) -> bool {
        let (one, two) = (&self.recovered, &other.recovered);
        one.last == two.last
            && one.vote == two.vote
            && one.purged == two.purged
            && one.identity == two.identity
            && self.entries == other.entries
    }
}

pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    let leader = openraft::type_config::alias::LeaderIdOf::<TypeConfig>::new(term, 1);
    LogId::new(leader.to_committed(), index)
}

/// Returns an entry of about `bytes` bytes, or a membership change if `bytes` is 0.
pub(super) fn entry(term: u64, index: u64, bytes: usize) -> Entry {
    let payload = if bytes == 0 {
        EntryPayload::Membership(members())
    } else {
        let node_id = format!("{term}/{index}/")
            .repeat(bytes.div_ceil(4))
            .chars()
            .take(bytes)
            .collect();
        let commands = vec![Command::Withdraw {
            seen: index,
            node_id,
        }];
        EntryPayload::Normal(Proposal(Arc::new(Batch {
            max_age_ms: 30_000,
            step_ms: 1_000,
            commands,
        })))
    };
    Entry {
        log_id: log_id(term, index),
        payload,
    }
}

fn members() -> Membership<u64, Member> {
    let ids = BTreeSet::from([1, 2, 3]);
    let member = |id: &u64| Member {
        node_id: format!("n{id}"),
        incarnation: *id,
        address: format!("http://127.0.0.{id}:8411"),
    };
    let nodes: BTreeMap<u64, Member> = ids.iter().map(|id| (*id, member(id))).collect();
    Membership::new(vec![ids], nodes).expect("a membership")
}

pub(super) fn identity(incarnation: u64) -> Identity {
    let founders = vec![(
        "a".to_owned(),
        incarnation,
        "http://127.0.0.1:8411".to_owned(),
    )];
    let group = incarnation.is_multiple_of(2).then_some(GroupIdentity {
        cluster_id: 7,
        founders,
        joined_late: false,
    });
    Identity {
        node_id: "a".to_owned(),
        incarnation,
        environment: "test".to_owned(),
        group,
        diverged: false,
    }
}

pub(super) fn snapshot_of(last: LogId, bytes: usize) -> (SnapshotMeta, Vec<u8>) {
    let membership = StoredMembership::new(Some(log_id(1, 0)), members());
    let body = (0..bytes)
        .map(|i| (i as u64 * 31 + last.index) as u8)
        .collect();
    (
        SnapshotMeta {
            last_log_id: Some(last),
            last_membership: membership,
        },
        body,
    )
}

/// Appends entries. Returns a future for the result that the callback gets.
pub(super) async fn append(
    log: &mut LogStore,
    entries: Vec<Entry>,
) -> io::Result<impl Future<Output = io::Result<()>> + use<>> {
    let (tx, rx) = TypeConfig::oneshot();
    log.append(entries, IOFlushed::signal(tx)).await?;
    Ok(async move { rx.await.map_err(io::Error::other)? })
}

/// A run of a script. `history[n]` is the state after `n` steps.
pub(super) struct Run {
    pub(super) fs: SimFs,
    store: Option<Store>,
    pub(super) history: Vec<Contents>,
    /// Every committed id that was passed to the store.
    pub(super) committed: Vec<LogId>,
    /// For each step, whether the acknowledgement concerns the snapshot instead of the log.
    pub(super) of_snapshot: Vec<bool>,
    failed: Option<watch::Receiver<Option<Arc<io::Error>>>>,
}

impl Run {
    pub(super) fn new(fs: SimFs) -> Self {
        let history = vec![Contents::default()];
        Self {
            fs,
            store: None,
            history,
            committed: Vec::new(),
            of_snapshot: vec![false],
            failed: None,
        }
    }

    /// Creates a run that continues from a directory that holds `contents`.
    pub(super) fn from(fs: SimFs, contents: Contents) -> Self {
        Self {
            history: vec![contents],
            ..Self::new(fs)
        }
    }

    /// Runs the steps. A step that fails ends the run, with the store still open.
    pub(super) async fn play(&mut self, steps: &[ScriptStep]) -> Result<(), OpenError> {
        self.open()?;
        for step in steps {
            if let ScriptStep::Reopen = step {
                self.close().await;
                if self.failure().is_some() {
                    return Ok(());
                }
                self.open()?;
            } else if self.step(step).await.is_err() {
                return Ok(());
            }
        }
        self.close().await;
        Ok(())
    }

    fn open(&mut self) -> Result<(), OpenError> {
        let store = Store::open(Arc::new(self.fs.clone()), &dir())?;
        self.failed = Some(store.failed());
        self.store = Some(store);
        Ok(())
    }

    /// Returns the recorded failure.
    pub(super) fn failure(&self) -> Option<String> {
        let failed = self.failed.as_ref()?.borrow();
        failed.as_ref().map(ToString::to_string)
    }

    pub(super) async fn close(&mut self) {
        if let Some(store) = self.store.take() {
            store.close().await;
        }
    }

    /// Returns whether the store is still open, which means that a step failed and ended the run.
    pub(super) fn is_open(&self) -> bool {
        self.store.is_some()
    }

    pub(super) fn store(&self) -> Store {
        self.store.clone().expect("an open store")
    }

    /// Records the state that a step is to leave, and marks the start of the step. Returns the
    /// number of the step.
    fn begin(&mut self, of_snapshot: bool, change: impl FnOnce(&mut Contents)) -> usize {
        let mut next = self.history.last().cloned().expect("a first state");
        change(&mut next);
        self.history.push(next);
        self.of_snapshot.push(of_snapshot);
        self.fs.mark(DiskChange::Began(self.history.len() - 1));
        self.history.len() - 1
    }

    fn end(&self, number: usize) {
        self.fs.mark(DiskChange::Acknowledged(number));
    }

    pub(super) async fn step(&mut self, step: &ScriptStep) -> io::Result<()> {
        let store = self.store();
        let mut log = store.log_store();
        match step {
            ScriptStep::Identity(incarnation) => {
                let identity = identity(*incarnation);
                let number = self.begin(false, |c| c.recovered.identity = Some(identity.clone()));
                store.save_identity(&identity).await?;
                self.end(number);
            }
            ScriptStep::Vote(term, committed) => {
                let mut vote = Vote::new(*term, 1);
                vote.committed = *committed;
                let number = self.begin(false, |c| c.recovered.vote = Some(vote));
                log.save_vote(&vote).await?;
                self.end(number);
            }
            ScriptStep::Append(sizes) => {
                let entries = self.next_entries(sizes);
                let number = self.begin(false, |c| extend(c, &entries));
                append(&mut log, entries).await?.await?;
                self.end(number);
            }
            ScriptStep::Burst(sizes) => {
                let mut waiting = Vec::new();
                for size in sizes {
                    let entries = self.next_entries(&[*size]);
                    let number = self.begin(false, |c| extend(c, &entries));
                    waiting.push((number, append(&mut log, entries).await?));
                }
                for (number, flushed) in waiting {
                    flushed.await?;
                    self.end(number);
                }
            }
            ScriptStep::Truncate(index) => {
                let kept = self.id_of(*index);
                let number = self.begin(false, |c| {
                    c.entries.retain(|e| e.log_id.index <= *index);
                    c.recovered.last = kept;
                });
                log.truncate_after(kept).await?;
                self.end(number);
            }
            ScriptStep::Committed(index) => {
                let id = self.id_of(*index);
                self.committed.extend(id);
                log.save_committed(id).await?;
            }
            ScriptStep::Snapshot(index, bytes) => {
                let (meta, body) = snapshot_of(self.id_at(*index), *bytes);
                let number = self.begin(true, |c| c.snapshot = Some((meta.clone(), body.clone())));
                store.snapshots().save(&meta, &body)?;
                self.end(number);
            }
            ScriptStep::Purge(index) => {
                let upto = self.id_at(*index);
                self.begin(false, |c| {
                    c.entries.retain(|e| e.log_id.index > *index);
                    c.recovered.purged = Some(upto);
                    c.recovered.last = c.entries.last().map_or(Some(upto), |e| Some(e.log_id));
                });
                // The purge is not awaited. It is done when a later step that writes to the log is
                // acknowledged.
                log.purge(upto).await?;
            }
            ScriptStep::Wipe => {
                let number = self.begin(false, |c| *c = Contents::default());
                store.wipe().await?;
                self.of_snapshot[number] = true;
                self.end(number);
            }
            ScriptStep::Reopen => {}
        }
        Ok(())
    }

    fn id_of(&self, index: u64) -> Option<LogId> {
        self.history
            .last()
            .and_then(|c| c.entries.iter().find(|e| e.log_id.index == index))
            .map(|e| e.log_id)
    }

    /// Returns the id of an entry. If the log does not contain the index, returns an id that a
    /// leader of the current term may have assigned.
    fn id_at(&self, index: u64) -> LogId {
        self.id_of(index).unwrap_or(log_id(self.term(), index))
    }

    fn term(&self) -> u64 {
        let state = self.history.last().expect("a first state");
        state.recovered.vote.map_or(0, |v| v.leader_id.term)
    }

    fn next_entries(&self, sizes: &[usize]) -> Vec<Entry> {
        let state = self.history.last().expect("a first state");
        let term = self.term();
        let next = state.recovered.last.map_or(0, |l| l.index + 1);
        sizes
            .iter()
            .zip(next..)
            .map(|(bytes, index)| entry(term, index, *bytes))
            .collect()
    }
}

fn extend(contents: &mut Contents, entries: &[Entry]) {
    contents.entries.extend_from_slice(entries);
    contents.recovered.last = contents.entries.last().map(|e| e.log_id);
}

/// Opens the files that a crash left, like the next process does, and reads all of their content.
pub(super) fn contents_of(fs: &SimFs, dir: &Path) -> Result<Contents, OpenError> {
    let opened = open_directory(Arc::new(fs.clone()), dir, BlockingExecutor::Threads)?;
    let entries = opened
        .database
        .read(0..u64::MAX, usize::MAX)
        .expect("what was checked can be read");
    Ok(Contents {
        entries: entries.into_iter().map(|(entry, _)| entry).collect(),
        snapshot: opened
            .snapshots
            .load()
            .expect("what was checked can be read"),
        recovered: opened.recovered,
    })
}

pub(super) fn contents_of_image(image: DiskImage) -> Result<Contents, OpenError> {
    contents_of(&SimFs::of_image(image, CAPACITY, false), &dir())
}
