//! What a crash left, against the states that a run went through.

use super::script::{Contents, Run};
use crate::storage::types::LogId;
use crate::storage::vfs::sim::Crash;

/// The states of a run that something found on a disk is equal to.
#[derive(Debug)]
pub(super) struct Matches {
    log: Vec<usize>,
    snapshot: Vec<usize>,
    committed: Option<LogId>,
}

/// What is owed at a point of a run: of the log, and of the snapshot, one of the states from the
/// last that was acknowledged to the last that was begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owed {
    log: usize,
    snapshot: usize,
    began: usize,
}

impl Run {
    /// Which states of the run are these.
    pub(super) fn matches(&self, found: &Contents) -> Matches {
        let states = |same: &dyn Fn(&Contents) -> bool| {
            let all = self.history.iter().enumerate();
            all.filter(|(_, state)| same(state))
                .map(|(n, _)| n)
                .collect()
        };
        Matches {
            log: states(&|state| state.same_log(found)),
            snapshot: states(&|state| state.snapshot == found.snapshot),
            committed: found.held.committed,
        }
    }

    /// What is owed once these steps were acknowledged and the last of them begun.
    pub(super) fn owed(&self, acknowledged: &[usize], began: usize) -> Owed {
        let last = |kept: &dyn Fn(usize) -> bool| {
            let steps = acknowledged.iter().copied();
            steps.filter(|n| kept(*n)).max().unwrap_or(0)
        };
        let wiped = last(&|n| self.of_snapshot[n] && self.history[n] == Contents::default());
        Owed {
            log: last(&|n| !self.of_snapshot[n]).max(wiped),
            snapshot: last(&|n| self.of_snapshot[n]),
            began,
        }
    }

    /// The same at a point of the journal.
    pub(super) fn owed_at(&self, crash: &Crash) -> Owed {
        self.owed(&crash.acknowledged, crash.began)
    }

    /// Fails unless what was found is what is owed.
    pub(super) fn settle(&self, found: &Matches, owed: Owed) -> Result<(), String> {
        let Owed {
            log,
            snapshot,
            began,
        } = owed;
        if !found.log.iter().any(|n| (log..=began).contains(n)) {
            let found = &found.log;
            return Err(format!(
                "the log is none of the states {log} to {began}, but {found:?}"
            ));
        }
        if !found
            .snapshot
            .iter()
            .any(|n| (snapshot..=began).contains(n))
        {
            let found = &found.snapshot;
            return Err(format!(
                "the snapshot is none of the states {snapshot} to {began}, but {found:?}"
            ));
        }
        match found.committed {
            Some(id) if !self.committed.contains(&id) => Err(format!("{id} was never committed")),
            _ => Ok(()),
        }
    }

    /// Fails unless what a crash left is one of the states from what was acknowledged to what was begun.
    pub(super) fn judge(
        &self,
        found: &Contents,
        acknowledged: &[usize],
        began: usize,
    ) -> Result<(), String> {
        self.settle(&self.matches(found), self.owed(acknowledged, began))
    }
}
