//! A node's knowledge of its group, for people and monitors.

use super::bootstrap::group_discovery::Bootstrap;
use super::group::Group;
use super::health::unavailable_reason;
use super::monitor::member_facts;
use super::transport::peers::REACHABLE_WITHIN;
use super::transport::{PeerSecurity, ReportedFacts};
use crate::clock;
use crate::storage::types::RaftId;
use openraft::ServerState;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The role of a member that votes.
const VOTER: &str = "voter";

/// The role of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The node that proposes every write of the group.
    Leader,
    /// A voter that follows the leader.
    Follower,
    /// A member that receives the log but has no vote.
    Learner,
    /// A node that asks for votes, or that is not in a group yet.
    Candidate,
}

/// The response of `GET /v1/cluster/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// This node's `node.id`.
    pub node: String,
    /// This node's role.
    pub role: Role,
    /// The leader's `node.id`, while this node serves reads through that leader.
    pub leader: Option<String>,
    /// The raft term of this node.
    pub term: u64,
    /// The index of the last log entry that this node applied.
    pub applied: u64,
    /// Number of services in this node's registry.
    pub services: u64,
    /// The extent to which peers and engines must prove to this node who they are.
    #[serde(default)]
    pub security: SecurityStatus,
    /// Number of voters that may still fail before the group has no quorum, as this node sees it.
    /// Absent without a group. It is 0 also if this node does not serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_tolerance: Option<u64>,
    /// The members, sorted by `node.id`.
    pub members: Vec<MemberStatus>,
    /// The cluster id of the group, and the reason if this node does not serve.
    #[serde(flatten)]
    pub group: GroupState,
}

/// The extent to which a node demands proofs of identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecurityStatus {
    /// Peers and engines are believed without a proof.
    #[default]
    None,
    /// Proofs are in use, but peers or engines without a proof are still accepted.
    Partial,
    /// Peers and engines must prove who they are.
    Required,
}

/// The proof that a member has given to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberProof {
    /// No proof when this node last dialed the member.
    Plain,
    /// A proof that the member has the shared secret.
    Secret,
    /// A certificate that names the host of the member.
    Certificate,
}

/// The cluster id of the group, and a human-readable reason if this node does not serve.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupState {
    /// The cluster id in hex, once a group is formed.
    pub cluster: Option<String>,
    /// The condition that this node waits for, and the remedy; absent when this node serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

/// One member as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// The member's `node.id`.
    pub node: String,
    /// `voter` or `learner`.
    pub role: String,
    /// The address at which this node reaches the member.
    pub address: String,
    /// Whether the member answered this node within the last 1.6 s.
    pub reachable: bool,
    /// The proof that the member has given to this node. Absent for this node itself, for a member
    /// that never answered, and if peers prove nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<MemberProof>,
    /// Number of log entries by which the member is behind the most advanced member that this node
    /// knows of.
    pub lag: u64,
    /// The member's report about itself.
    #[serde(flatten)]
    pub report: MemberReport,
}

/// A member's report about itself. A value is absent if the member has not reported it yet, or runs
/// a release that does not report it. All values but the version are also absent if the last report
/// is older than 1.6 s.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MemberReport {
    /// The release that the member runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The time since the member's process joined its group, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_s: Option<u64>,
    /// The free space of the member's data directory, in bytes. Absent if the disk does not report
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_free_bytes: Option<u64>,
    /// The free space below which the member takes no writes, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_floor_bytes: Option<u64>,
    /// The number of milliseconds by which the member's wall clock is ahead of the one of this
    /// node; negative if it is behind. The error is at most 200 ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<i64>,
}

impl MemberStatus {
    /// Returns whether the member votes.
    pub fn is_voter(&self) -> bool {
        self.role == VOTER
    }
}

/// Returns the status of a node in its group, or of a node that is looking for its group.
pub(super) fn of(bootstrap: &Bootstrap, group: Option<&Group>) -> Status {
    match group {
        None => waiting(bootstrap),
        Some(group) => in_group(group),
    }
}

/// Returns the status of a node that has no group yet.
fn waiting(bootstrap: &Bootstrap) -> Status {
    Status {
        node: bootstrap.options.node_id.clone(),
        role: Role::Candidate,
        leader: None,
        term: 0,
        applied: 0,
        services: 0,
        security: security(&bootstrap.options.security),
        failure_tolerance: None,
        members: Vec::new(),
        group: GroupState {
            cluster: None,
            waits_for: Some(bootstrap.waits_for()),
        },
    }
}

/// Returns the status of a node in its group.
fn in_group(group: &Group) -> Status {
    let view = group.view().borrow().clone();
    let own = group.raft_id();
    let (applied, services) = {
        let registry = group.replica.registry();
        (registry.applied_index(), registry.services() as u64)
    };
    // `behind` compares a member with this node, at the time of the member's last report. The lags
    // in the status compare a member with the most advanced member.
    let behind = |id| {
        if id == own {
            0
        } else {
            group.peers.state(id).behind
        }
    };
    let furthest = view
        .members()
        .map(|(id, ..)| behind(id))
        .min()
        .unwrap_or(0)
        .min(0);
    let mut members: Vec<MemberStatus> = view
        .members()
        .map(|(id, member, voter)| MemberStatus {
            node: member.node_id.clone(),
            role: if voter { VOTER } else { "learner" }.to_owned(),
            address: group.peers.address_of(member).to_owned(),
            reachable: id == own || group.peers.is_reachable(id),
            security: proof(group, id),
            lag: behind(id).saturating_sub(furthest) as u64,
            report: report(group, id),
        })
        .collect();
    members.sort_by(|one, other| one.node.cmp(&other.node));
    let serves = group.serves();
    // The view of a partitioned node still contains the last known leader. Leave this leader out,
    // so that clients are not sent to it.
    let leader = view.leader.as_ref().filter(|_| serves);
    Status {
        node: group.options.node_id.clone(),
        role: role(view.state),
        leader: leader.map(|leader| leader.member.node_id.clone()),
        term: view.term,
        applied,
        services,
        security: security(&group.options.security),
        failure_tolerance: Some(failure_tolerance(&members, serves)),
        group: GroupState {
            cluster: Some(format!("{:016x}", group.peers.cluster_id())),
            waits_for: (!serves).then(|| unavailable_reason(group).to_string()),
        },
        members,
    }
}

/// Returns a member's report about itself. The report of this node is made now.
fn report(group: &Group, id: RaftId) -> MemberReport {
    let reported = match id == group.raft_id() {
        true => Some(ReportedFacts {
            facts: member_facts::own(group),
            at: clock::now(),
            clock_ahead_ms: Some(0),
        }),
        false => group.peers.state(id).facts,
    };
    reported.map_or_else(MemberReport::default, |reported| {
        report_of(&reported, clock::now().duration_since(reported.at))
    })
}

/// Returns the facts that a member reported this long ago. Of an old report, only the release
/// stays.
fn report_of(reported: &ReportedFacts, age: Duration) -> MemberReport {
    let facts = &reported.facts;
    let version = Some(facts.release.clone());
    if age >= REACHABLE_WITHIN {
        return MemberReport {
            version,
            ..MemberReport::default()
        };
    }
    MemberReport {
        version,
        uptime_s: Some(facts.uptime_s.saturating_add(age.as_secs())),
        disk_free_bytes: facts.disk.map(|(free_bytes, _)| free_bytes),
        disk_floor_bytes: facts.disk.map(|(_, floor_bytes)| floor_bytes),
        clock_ahead_ms: reported.clock_ahead_ms,
    }
}

/// Returns the number of voters that may still fail.
fn failure_tolerance(members: &[MemberStatus], serves: bool) -> u64 {
    let voters = || members.iter().filter(|member| member.is_voter());
    let quorum = voters().count() / 2 + 1;
    let reachable = voters().filter(|voter| voter.reachable).count();
    match serves {
        true => reachable.saturating_sub(quorum) as u64,
        false => 0,
    }
}

fn security(security: &PeerSecurity) -> SecurityStatus {
    match security {
        PeerSecurity::Off => SecurityStatus::None,
        PeerSecurity::Keys { .. } | PeerSecurity::Certificates(_) => SecurityStatus::Partial,
    }
}

/// Returns the proof that a member has given to this node.
fn proof(group: &Group, id: RaftId) -> Option<MemberProof> {
    let peer = group.peers.state(id);
    let is_known = id != group.raft_id() && peer.last_answer.is_some();
    match group.options.security {
        PeerSecurity::Keys { .. } if is_known && peer.is_plain => Some(MemberProof::Plain),
        PeerSecurity::Keys { .. } if is_known => Some(MemberProof::Secret),
        PeerSecurity::Certificates(_) if is_known => Some(MemberProof::Certificate),
        PeerSecurity::Keys { .. } | PeerSecurity::Certificates(_) | PeerSecurity::Off => None,
    }
}

fn role(state: ServerState) -> Role {
    match state {
        ServerState::Leader => Role::Leader,
        ServerState::Follower => Role::Follower,
        ServerState::Learner => Role::Learner,
        ServerState::Candidate | ServerState::Shutdown => Role::Candidate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::transport::MemberFacts;

    /// The values of a report are shown while it is new, and its uptime goes on. Of an old report,
    /// only the release is shown.
    #[test]
    fn old_reports_are_not_shown() {
        let reported = ReportedFacts {
            facts: MemberFacts {
                release: "0.1.0".to_owned(),
                uptime_s: 7,
                wall_ms: 8,
                disk: Some((9, 10)),
            },
            at: clock::now(),
            clock_ahead_ms: Some(-11),
        };
        let new = MemberReport {
            version: Some("0.1.0".to_owned()),
            uptime_s: Some(8),
            disk_free_bytes: Some(9),
            disk_floor_bytes: Some(10),
            clock_ahead_ms: Some(-11),
        };
        assert_eq!(report_of(&reported, Duration::from_millis(1_500)), new);
        let old = MemberReport {
            version: new.version,
            ..MemberReport::default()
        };
        assert_eq!(report_of(&reported, Duration::from_secs(2)), old);
    }
}
