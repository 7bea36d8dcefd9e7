//! Comparison of the content that a crash left with the states of a run.

use super::script::{Contents, Run};
use crate::types::LogId;
use crate::vfs::sim::Crash;

/// The states of a run that equal the content found on a disk.
#[derive(Debug)]
pub(super) struct Matches {
    log: Vec<usize>,
    snapshot: Vec<usize>,
    committed: Option<LogId>,
}

/// The requirement at a point of a run. The log and the snapshot must each have the state after one
/// step of a range. The range begins with the last acknowledged step and ends with the last started
/// step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owed {
    log: usize,
    snapshot: usize,
    began: usize,
}

impl Run {
    /// Returns the states of the run that equal `found`.
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
            committed: found.recovered.committed,
        }
    }

    /// Returns the requirement after the steps in `acknowledged` were acknowledged and step `began`
    /// was started.
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

    /// Returns the requirement at a point of the run.
    pub(super) fn owed_at(&self, crash: &Crash) -> Owed {
        self.owed(&crash.acknowledged, crash.began)
    }

    /// Returns an error unless the content that was found satisfies the requirement.
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

    /// Returns an error unless the content that a crash left satisfies the requirement ([`Owed`])
    /// after these steps.
    pub(super) fn judge(
        &self,
        found: &Contents,
        acknowledged: &[usize],
        began: usize,
    ) -> Result<(), String> {
        self.settle(&self.matches(found), self.owed(acknowledged, began))
    }
}
