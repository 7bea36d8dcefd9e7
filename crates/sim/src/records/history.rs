//! The committed log, and the state of the registry that results from it.

use crate::settings::STEP;
use quorate::model::Lookup;
use quorate::raft::{EntryContent, LoggedEntry};
use quorate::registry::{Command, LEVEL_OF_ORDER, Leadership, Outcome, Registry};
use std::collections::BTreeMap;
use std::time::Duration;

/// The state of the registry after an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastState {
    /// The digest of the whole state.
    pub digest: u128,
    /// The tag (a digest of the body) of the lookup of everything.
    pub all: String,
    /// The tag of the lookup of the workers' type.
    pub workers: String,
}

/// The committed log, as stored by the first node that committed each entry.
pub struct History {
    entries: Vec<LoggedEntry>,
    outcomes: Vec<Vec<Outcome>>,
    states: Vec<LastState>,
    registry: Registry,
    max_age: Duration,
    /// For each node, the entry that last renewed the node, and the time at which that entry was
    /// first seen to be committed.
    renewed: BTreeMap<String, (u64, Duration)>,
    /// The number of nodes that expired.
    pub expired: usize,
    /// The time from which the order of writes is guaranteed. At this time, the committed log was
    /// first seen to reach [`LEVEL_OF_ORDER`]. Each write carries its `Arrival` from this feature
    /// level of commands on.
    pub ordered_from: Option<Duration>,
}

/// The type that all workers announce.
pub const TYPE: &str = "trino";

impl History {
    /// Creates an empty history.
    pub fn new(max_age: Duration) -> History {
        History {
            entries: Vec::new(),
            outcomes: Vec::new(),
            states: Vec::new(),
            registry: Registry::new("sim"),
            max_age,
            renewed: BTreeMap::new(),
            expired: 0,
            ordered_from: None,
        }
    }

    /// Returns the index that is committed next.
    pub fn next(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Returns an entry, if it is committed.
    pub fn entry(&self, index: u64) -> Option<&LoggedEntry> {
        self.entries.get(index as usize)
    }

    /// Returns the state after an entry, if it is committed.
    pub fn state(&self, index: u64) -> Option<&LastState> {
        self.states.get(index as usize)
    }

    /// Returns the last entry that was proposed by a leader earlier than `leader`.
    pub fn last_before(&self, leader: (u64, u64)) -> Option<&LoggedEntry> {
        let earlier = self.entries.partition_point(|entry| entry.leader < leader);
        self.entries.get(earlier.checked_sub(1)?)
    }

    /// Appends a committed entry of a node to the history, or compares the entry with the known
    /// entry of the same index.
    ///
    /// # Errors
    /// Returns the violation.
    pub fn hold(&mut self, entry: LoggedEntry, at: Duration) -> Result<(), String> {
        if let Some(known) = self.entry(entry.index) {
            return match *known == entry {
                true => Ok(()),
                false => Err(format!(
                    "log matching: {entry:?} is committed, but also {known:?}"
                )),
            };
        }
        if entry.index != self.next() {
            return Err(format!(
                "entry {} is committed, but {} was never seen",
                entry.index,
                self.next()
            ));
        }
        if let Some(last) = self.entries.last()
            && last.leader > entry.leader
        {
            return Err(format!("monotonic leaders: {entry:?} follows {last:?}"));
        }
        let outcomes = match &entry.batch {
            Some(batch) => {
                let (term, node) = entry.leader;
                self.registry
                    .apply_proposed(entry.index, Leadership { term, node }, batch)
            }
            None => {
                self.registry.advance(entry.index);
                Vec::new()
            }
        };
        self.follow_ages(&entry, &outcomes, at)?;
        if self.registry.level() >= LEVEL_OF_ORDER {
            self.ordered_from.get_or_insert(at);
        }
        self.states.push(LastState {
            digest: self.registry.digest(),
            all: self.registry.lookup(&Lookup::All).tag().to_owned(),
            workers: self
                .registry
                .lookup(&Lookup::Type(TYPE.to_owned()))
                .tag()
                .to_owned(),
        });
        self.entries.push(entry);
        self.outcomes.push(outcomes);
        Ok(())
    }

    /// Records the renewals of an entry, and checks its expiries.
    fn follow_ages(
        &mut self,
        entry: &LoggedEntry,
        outcomes: &[Outcome],
        at: Duration,
    ) -> Result<(), String> {
        let EntryContent::Commands(commands) = &entry.content else {
            return Ok(());
        };
        for (command, outcome) in commands.iter().zip(outcomes) {
            match (command, outcome) {
                (
                    Command::Announce { announcement, .. }
                    | Command::OrderedAnnounce { announcement, .. },
                    Outcome::Applied,
                ) => {
                    self.renewed
                        .insert(announcement.node_id.clone(), (entry.index, at));
                }
                (
                    Command::Renew { node_id, .. } | Command::OrderedRenew { node_id, .. },
                    Outcome::Applied,
                ) => {
                    self.renewed.insert(node_id.clone(), (entry.index, at));
                }
                (_, Outcome::Expired(nodes)) => {
                    for node_id in nodes {
                        self.judge_expiry(node_id, entry.index, at)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks that a node expires no earlier than max-age after its last renewal.
    fn judge_expiry(&mut self, node_id: &str, index: u64, at: Duration) -> Result<(), String> {
        self.expired += 1;
        let Some((renewed, committed)) = self.renewed.get(node_id) else {
            return Err(format!("{node_id} expired, but was never announced"));
        };
        // Commits are observed only at the end of a step. The time between the commits of the
        // renewal and of the expiry may therefore seem up to one step too short.
        if at.saturating_sub(*committed) + STEP < self.max_age {
            return Err(format!(
                "no early expiry: {node_id} expired by entry {index} at {at:?}, \
                 but its renewal, entry {renewed}, was committed at {committed:?}"
            ));
        }
        Ok(())
    }

    /// Returns every committed command, in order, with the index of its entry and its outcome.
    pub fn applied(&self) -> impl Iterator<Item = (u64, &Command, &Outcome)> {
        let entries = self.entries.iter().zip(&self.outcomes);
        entries.flat_map(|(entry, outcomes)| {
            let commands = match &entry.content {
                EntryContent::Commands(commands) => &commands[..],
                _ => &[],
            };
            let both = commands.iter().zip(outcomes);
            both.map(|(command, outcome)| (entry.index, command, outcome))
        })
    }

    /// Checks that an entry contains a write, and that the outcome of the write is
    /// [`Outcome::Applied`].
    ///
    /// # Errors
    /// Returns an error if the entry is not committed, or if one of these checks fails.
    pub fn holds(&self, index: u64, write: impl Fn(&Command) -> bool) -> Result<(), String> {
        let entry = self
            .entry(index)
            .ok_or_else(|| format!("entry {index} is not committed"))?;
        let EntryContent::Commands(commands) = &entry.content else {
            return Err(format!("entry {index} contains no write: {entry:?}"));
        };
        let applied = commands
            .iter()
            .zip(&self.outcomes[index as usize])
            .any(|(command, outcome)| write(command) && *outcome == Outcome::Applied);
        match applied {
            true => Ok(()),
            false => Err(format!(
                "entry {index} does not apply it: the outcomes of {commands:?} are {:?}",
                self.outcomes[index as usize]
            )),
        }
    }
}
