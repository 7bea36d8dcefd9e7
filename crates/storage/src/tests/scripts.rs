//! The scripts: a short one with everything that a node does, and a long one.

use super::script::ScriptStep;
use crate::vfs::sim::CrashRandom;

/// Number of steps of the long script.
pub(super) const LONG: usize = 200;
/// Number of steps after which the store is closed and opened again.
const REOPENED_EVERY: usize = 20;

/// Returns a script with everything that a node does.
pub(super) fn everything() -> Vec<ScriptStep> {
    use ScriptStep::{
        Append, Burst, Committed, Identity, Purge, Reopen, Snapshot, Truncate, Vote, Wipe,
    };
    vec![
        Identity(1),
        Identity(2),
        Vote(1, false),
        Vote(1, true),
        Append(vec![0, 300]),
        Append(vec![300; 20]),
        Committed(10),
        Burst(vec![300, 20_000, 300, 70_000]),
        Vote(2, false),
        Truncate(23),
        Append(vec![300, 0, 5_000]),
        Committed(24),
        Snapshot(20, 150_000),
        Purge(20),
        Append(vec![300]),
        Reopen,
        Vote(3, true),
        Burst(vec![300; 6]),
        Snapshot(27, 70_000),
        Purge(27),
        Burst(vec![20_000, 20_000]),
        // A follower that lags far behind receives a snapshot that is ahead of its log.
        Vote(9, true),
        Snapshot(100, 10),
        Purge(100),
        Append(vec![300, 300]),
        Reopen,
        Wipe,
        Identity(4),
        Vote(1, true),
        Append(vec![0, 300]),
        Snapshot(1, 100),
        Purge(0),
        Append(vec![300]),
    ]
}

/// The state of the log that the generator of a script keeps track of.
#[derive(Default)]
struct Author {
    steps: Vec<ScriptStep>,
    term: u64,
    /// The index after the last entry.
    next: u64,
    /// The index after the last committed entry, which is never truncated.
    committed: u64,
    /// The index after the last entry that a snapshot covers.
    covered: u64,
    /// The index after the last entry that was purged.
    purged: u64,
}

impl Author {
    /// Adds the steps of a new or wiped node that joins a group.
    fn begin(&mut self, identity: u64) {
        *self = Self {
            steps: std::mem::take(&mut self.steps),
            ..Self::default()
        };
        self.steps.push(ScriptStep::Identity(identity));
        self.vote(false);
        self.append(vec![0, 300], false);
    }

    /// Adds the election of a new leader. The node stores the leader's committed vote, either
    /// directly or after its own vote for the candidate (`voted_before`).
    fn vote(&mut self, voted_before: bool) {
        self.term += 1;
        if voted_before {
            self.steps.push(ScriptStep::Vote(self.term, false));
        }
        self.steps.push(ScriptStep::Vote(self.term, true));
    }

    fn append(&mut self, sizes: Vec<usize>, at_once: bool) {
        self.next += sizes.len() as u64;
        self.steps.push(if at_once {
            ScriptStep::Burst(sizes)
        } else {
            ScriptStep::Append(sizes)
        });
    }

    /// Adds a leader change in which the new leader replaces the last entries.
    fn truncate(&mut self, kept: u64) {
        self.vote(true);
        self.next = kept;
        self.steps.push(ScriptStep::Truncate(kept - 1));
        self.append(vec![0, 200], false);
    }

    fn commit(&mut self, end: u64) {
        self.committed = end;
        self.steps.push(ScriptStep::Committed(end - 1));
    }

    fn snapshot(&mut self, bytes: usize) {
        self.covered = self.committed;
        self.steps
            .push(ScriptStep::Snapshot(self.covered - 1, bytes));
    }

    fn purge(&mut self, end: u64) {
        self.purged = end;
        self.steps.push(ScriptStep::Purge(end - 1));
    }

    /// Adds the steps of a follower that lags far behind and receives a snapshot that is ahead of
    /// its log.
    fn fall_behind(&mut self) {
        self.vote(false);
        self.committed = self.next + 30;
        self.snapshot(500);
        self.next = self.committed;
        self.purge(self.committed);
        self.append(vec![100], false);
    }

    /// Adds one of the operations of a node, chosen at random, if the log allows it.
    fn go_on(&mut self, random: &mut CrashRandom) {
        let sizes = |random: &mut CrashRandom| -> Vec<usize> {
            let count = 1 + random.below(3);
            let size = |random: &mut CrashRandom| match random.below(12) {
                0 => 0,
                1 => 5_000,
                _ => 20 + random.below(400),
            };
            (0..count).map(|_| size(random)).collect()
        };
        let cut = self.committed.max(self.purged) + 1;
        match random.below(20) {
            0..=6 => self.append(sizes(random), false),
            7..=9 => self.append(sizes(random), true),
            10 => self.vote(true),
            11 | 12 if cut < self.next => {
                let kept = cut + random.below((self.next - cut) as usize) as u64;
                self.truncate(kept);
            }
            13..=15 if self.committed < self.next => {
                let more = 1 + random.below((self.next - self.committed) as usize) as u64;
                self.commit(self.committed + more);
            }
            16 | 17 if self.covered < self.committed => {
                let bytes = [40, 700, 9_000, 70_000][random.below(4)];
                self.snapshot(bytes);
            }
            18 | 19 if self.purged < self.covered => {
                let more = 1 + random.below((self.covered - self.purged) as usize) as u64;
                self.purge(self.purged + more);
            }
            _ => self.append(vec![250], false),
        }
    }
}

/// Returns a script of [`LONG`] steps, which is the same every time.
pub(super) fn long() -> Vec<ScriptStep> {
    let mut random = CrashRandom(0x0123_4567_89AB_CDEF);
    let mut author = Author::default();
    author.begin(1);
    let (mut reopened, mut fell_behind, mut emptied) = (0, false, false);
    while author.steps.len() < LONG {
        let written = author.steps.len();
        if written >= LONG / 2 && !fell_behind {
            fell_behind = true;
            author.fall_behind();
        } else if written >= LONG * 3 / 4 && !emptied {
            emptied = true;
            author.steps.push(ScriptStep::Wipe);
            author.begin(2);
        } else if written / REOPENED_EVERY > reopened {
            reopened = written / REOPENED_EVERY;
            author.steps.push(ScriptStep::Reopen);
        } else {
            author.go_on(&mut random);
        }
    }
    author.steps.truncate(LONG);
    author.steps
}

/// No operation of a node is rare in the long script.
#[test]
fn the_long_script_has_everything() {
    let steps = long();
    assert_eq!(steps.len(), LONG);
    let count = |kind: fn(&ScriptStep) -> bool| steps.iter().filter(|step| kind(step)).count();
    for (what, found, least) in [
        ("votes", count(|s| matches!(s, ScriptStep::Vote(..))), 15),
        ("appends", count(|s| matches!(s, ScriptStep::Append(_))), 40),
        ("bursts", count(|s| matches!(s, ScriptStep::Burst(_))), 15),
        (
            "truncations",
            count(|s| matches!(s, ScriptStep::Truncate(_))),
            4,
        ),
        (
            "commits",
            count(|s| matches!(s, ScriptStep::Committed(_))),
            10,
        ),
        (
            "snapshots",
            count(|s| matches!(s, ScriptStep::Snapshot(..))),
            6,
        ),
        ("purges", count(|s| matches!(s, ScriptStep::Purge(_))), 5),
        ("reopens", count(|s| matches!(s, ScriptStep::Reopen)), 8),
        ("wipes", count(|s| matches!(s, ScriptStep::Wipe)), 1),
        (
            "memberships",
            count(|s| match s {
                ScriptStep::Append(sizes) | ScriptStep::Burst(sizes) => sizes.contains(&0),
                _ => false,
            }),
            10,
        ),
    ] {
        assert!(found >= least, "{found} {what}");
    }
}
