//! The state of nodes after every step, checked against the history and their previous state.

use crate::records::history::History;
use crate::world::SimWorld;
use quorate::raft::{Node, Probe, RaftId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Number of memberships that are remembered. During a membership change, the last entries may have
/// been committed by a quorum of the old, the joint or the new membership.
const MEMBERSHIPS: usize = 3;

type Voters = Vec<BTreeSet<RaftId>>;

/// The last observation of a host's process and of its group.
#[derive(Debug, Default, Clone)]
struct SeenGroup {
    process: u64,
    raft_id: RaftId,
    /// The index up to which the log of the process was checked against the history.
    checked: u64,
    last: Option<Probe>,
}

/// The observed state of all nodes.
pub struct SimNodes {
    seen: Vec<SeenGroup>,
    votes: BTreeMap<RaftId, (u64, RaftId, bool)>,
    disks: BTreeMap<RaftId, Option<u64>>,
    leaders: BTreeSet<(u64, RaftId)>,
    memberships: VecDeque<Voters>,
    quorum_checked: u64,
    /// The number of snapshots that nodes installed from other nodes.
    pub installed: usize,
}

impl SimNodes {
    /// Creates the state without any observation.
    pub fn new(hosts: usize) -> SimNodes {
        SimNodes {
            seen: vec![SeenGroup::default(); hosts],
            votes: BTreeMap::new(),
            disks: BTreeMap::new(),
            leaders: BTreeSet::new(),
            memberships: VecDeque::new(),
            quorum_checked: 0,
            installed: 0,
        }
    }

    /// Returns the number of leaders (pairs of a term and a raft id) observed so far.
    pub fn leaders(&self) -> usize {
        self.leaders.len()
    }

    /// Returns the last observation of a host; `None` while it is down.
    pub fn last(&self, host: usize) -> Option<&Probe> {
        self.seen[host].last.as_ref()
    }

    /// Records that a host runs no process, or that its process is in no group.
    pub fn gone(&mut self, host: usize) {
        self.seen[host].last = None;
    }

    /// Records the disk state of a node that shuts down cleanly. The shutdown syncs the last
    /// entries that the node received.
    pub fn note_disk(&mut self, host: usize, node: &Node) {
        if let Some(last) = &self.seen[host].last {
            self.disks.insert(last.raft_id, node.on_disk());
        }
    }

    /// Checks every node after a step.
    ///
    /// # Errors
    /// Returns the violation, with the name of the invariant.
    pub fn look(
        &mut self,
        world: &SimWorld,
        history: &mut History,
        at: Duration,
    ) -> Result<(), String> {
        let mut probed = Vec::new();
        for host in 0..self.seen.len() {
            let (node, process) = {
                let slot = world.slot(host);
                (slot.node.clone(), slot.process)
            };
            let Some(node) = node else { continue };
            let Some(probe) = node.probe() else {
                self.note_disk(host, &node);
                self.gone(host);
                continue;
            };
            let wrong =
                |what: String| format!("host {host} (process {process}): {what}; {probe:?}");
            self.look_at(host, process, &node, &probe, history, at)
                .map_err(wrong)?;
            probed.push((host, node, probe));
        }
        for (host, node, probe) in &probed {
            judge_committed(probe, history).map_err(|what| format!("host {host}: {what}"))?;
            self.judge_leader(*host, node, probe, world, history, at)?;
            judge_state(probe, history).map_err(|what| format!("host {host}: {what}"))?;
        }
        self.judge_quorum(&probed, history)?;
        for (host, _, probe) in probed {
            self.seen[host].last = Some(probe);
        }
        Ok(())
    }

    /// Checks a node against its previous state. Adds to the history the entries that the node
    /// considers committed.
    fn look_at(
        &mut self,
        host: usize,
        process: u64,
        node: &Node,
        probe: &Probe,
        history: &mut History,
        at: Duration,
    ) -> Result<(), String> {
        let seen = &mut self.seen[host];
        if (seen.process, seen.raft_id) != (process, probe.raft_id) {
            *seen = SeenGroup {
                process,
                raft_id: probe.raft_id,
                ..SeenGroup::default()
            };
        }
        if let Some(before) = &seen.last {
            if probe.first > before.applied + 1 {
                self.installed += 1;
            }
            if probe.applied < before.applied {
                return Err(format!(
                    "monotonic apply: {} after {}",
                    probe.applied, before.applied
                ));
            }
            let index = |probe: &Probe| probe.committed.map(|(.., index)| index);
            if index(probe) < index(before) {
                return Err(format!(
                    "monotonic commit: {:?} after {:?}",
                    probe.committed, before.committed
                ));
            }
        }
        if let Some(vote) = probe.vote {
            let before = self.votes.insert(probe.raft_id, vote);
            if before.is_some_and(|before| before > vote) {
                return Err(format!("monotonic vote: {vote:?} after {before:?}"));
            }
        } else if let Some(before) = self.votes.get(&probe.raft_id) {
            return Err(format!("monotonic vote: none after {before:?}"));
        }
        self.disks.insert(probe.raft_id, probe.on_disk);
        if !self.memberships.contains(&probe.voters) && !probe.voters.is_empty() {
            self.memberships.push_back(probe.voters.clone());
            if self.memberships.len() > MEMBERSHIPS {
                self.memberships.pop_front();
            }
        }
        let seen = &mut self.seen[host];
        let applied = match probe.applied {
            // An applied index of 0 does not show whether the first entry (index 0) is applied,
            // since an empty registry reports 0 too.
            0 => 0,
            applied => applied + 1,
        };
        // The commit index of a follower is not used, because openraft may report it too early:
        // before openraft truncates the entries that the follower has from another leader.
        let committed = match probe.leads {
            true => probe.committed.map_or(0, |(.., index)| index + 1),
            false => 0,
        };
        let upto = committed.max(applied);
        let from = seen.checked.max(probe.first);
        if from < upto {
            for entry in node.entries(from..upto) {
                history.hold(entry, at)?;
            }
            seen.checked = upto;
        }
        Ok(())
    }

    /// Checks leader completeness when a node is first observed as the leader of a term.
    fn judge_leader(
        &mut self,
        host: usize,
        node: &Node,
        probe: &Probe,
        world: &SimWorld,
        history: &History,
        at: Duration,
    ) -> Result<(), String> {
        let leader = (probe.term, probe.raft_id);
        if !probe.leads || !self.leaders.insert(leader) {
            return Ok(());
        }
        world.say(at, format_args!("{host} leads in term {}", probe.term));
        let Some(last) = history.last_before(leader) else {
            return Ok(());
        };
        if last.index < probe.first {
            return Ok(());
        }
        match node.entries(last.index..last.index + 1).first() {
            Some(found) if found == last => Ok(()),
            found => Err(format!(
                "leader completeness: {host} leads in term {} with {found:?}, \
                 where {last:?} was committed",
                probe.term
            )),
        }
    }

    /// Checks that the last committed entry is on the disks of a quorum.
    fn judge_quorum(
        &mut self,
        probed: &[(usize, Node, Probe)],
        history: &History,
    ) -> Result<(), String> {
        let next = history.next();
        if next == self.quorum_checked {
            return Ok(());
        }
        self.quorum_checked = next;
        let index = next - 1;
        let holds = |id: &RaftId| {
            let on_disk = self.disks.get(id).copied().flatten();
            let has_entry = probed
                .iter()
                .find(|(.., probe)| probe.raft_id == *id)
                .is_none_or(|(_, node, probe)| {
                    probe.first > index || node.entries(index..next).first() == history.entry(index)
                });
            has_entry && on_disk.is_some_and(|on_disk| on_disk >= index)
        };
        let is_quorum = |voters: &BTreeSet<RaftId>| {
            voters.iter().filter(|id| holds(id)).count() > voters.len() / 2
        };
        let committed = self
            .memberships
            .iter()
            .any(|voters| voters.iter().all(is_quorum));
        match committed {
            true => Ok(()),
            false => Err(format!(
                "commit on a quorum: entry {index} is committed, but the disks hold {:?} \
                 and the voters are {:?}",
                self.disks, self.memberships
            )),
        }
    }
}

/// Checks that the last entry that a node considers committed is in the history, with the same
/// leader.
fn judge_committed(probe: &Probe, history: &History) -> Result<(), String> {
    let Some((term, leader, index)) = probe.committed else {
        return Ok(());
    };
    match history.entry(index) {
        Some(known) if known.leader == (term, leader) => Ok(()),
        known => Err(format!(
            "log matching: {:?} is committed, but the history has {known:?} at that index",
            probe.committed
        )),
    }
}

/// Checks that a node's state has the digest that results from the committed log.
fn judge_state(probe: &Probe, history: &History) -> Result<(), String> {
    let Some(state) = history.state(probe.applied) else {
        return match history.next() {
            0 => Ok(()),
            next => Err(format!(
                "equal states: {} is applied, but {next} is not committed",
                probe.applied
            )),
        };
    };
    match state.digest == probe.digest {
        true => Ok(()),
        false => Err(format!(
            "equal states: the digest at {} differs from that of the committed log",
            probe.applied
        )),
    }
}
