//! Measures the interruptions of service, as the clients saw them.

use crate::support::faults::{Burst, Happened, Harm, Kind};
use quorate_checker::history::{Operation, RequestOutcome};
use quorate_checker::window::Window;
use serde::{Deserialize, Serialize};

/// Time within which a node without a majority refuses a request.
const ANSWERED_WITHIN_NS: u64 = 2_000_000_000;

/// Interruptions of service, in nanoseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Liveness {
    /// For each fault of a minority that did not overlap another: the longest time, during the
    /// fault, without an acknowledged write through the other nodes.
    pub write_gaps_ns: Vec<(Kind, u64)>,
    /// Requests served during such faults, and the total duration of these faults.
    pub served_in_minority_faults: usize,
    pub minority_faults_ns: u64,
    /// The waiting time of the client for each unserved request to a node that ran and had no
    /// majority.
    pub refused_after_ns: Vec<u64>,
    /// Number of times the leader was lost while writes were under way.
    pub leaders_lost_under_writes: usize,
}

impl Liveness {
    /// Evaluates a history and the faults during which it was recorded.
    pub fn of(history: &[Operation], bursts: &[Burst]) -> Liveness {
        let mut liveness = Liveness::default();
        for fault in bursts.iter().flat_map(|burst| &burst.faults) {
            let window = Window {
                from_ns: fault.from_ns,
                to_ns: fault.over_ns,
            };
            if loses_leader(fault.kind) && fault.has_struck {
                let writes = history.iter().filter(|o| o.is_write());
                let under_way = |o: &Operation| {
                    o.call_ns < fault.from_ns && o.return_ns.is_none_or(|r| r > fault.from_ns)
                };
                liveness.leaders_lost_under_writes +=
                    usize::from(writes.into_iter().any(under_way));
            }
            // A fault that overlaps another may affect more than a minority.
            if fault.overlapped || !fault.has_struck {
                continue;
            }
            if fault.kind.harm() == Harm::Minority {
                liveness.take_minority(history, fault, window);
            }
            liveness.refused_after_ns.extend(refused(history, fault));
        }
        liveness
    }

    /// Returns the longest interruption of writes under a fault of a minority.
    pub fn longest_write_gap_ns(&self) -> u64 {
        let gaps_ns = self.write_gaps_ns.iter().map(|(_, gap_ns)| *gap_ns);
        gaps_ns.max().unwrap_or(0)
    }

    fn take_minority(&mut self, history: &[Operation], fault: &Happened, window: Window) {
        let is_turned = fault.kind == Kind::StopEachInTurn;
        let through_others = |o: &&Operation| {
            let is_victims = fault.victims.contains(&(o.server as usize));
            o.succeeded() && (is_turned || !is_victims)
        };
        let served = history.iter().filter(through_others);
        let acked = served
            .clone()
            .filter(|o| o.outcome == RequestOutcome::Acked)
            .filter_map(|o| o.return_ns);
        self.write_gaps_ns
            .push((fault.kind, window.longest_gap_ns(acked)));
        self.served_in_minority_faults += served
            .filter_map(|o| o.return_ns)
            .filter(|r| window.contains(*r))
            .count();
        self.minority_faults_ns += window.to_ns - window.from_ns;
    }
}

fn loses_leader(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::KillLeader
            | Kind::FreezeLeader
            | Kind::PartLeaderWithMinority
            | Kind::DeafLeader
            | Kind::DumbLeader
            | Kind::KillMajority
            | Kind::KillAll
            | Kind::FreezeAll
            | Kind::PowerCutAll
            | Kind::StopEachInTurn
    )
}

/// Returns how long clients of nodes without a majority waited for requests that were not served.
fn refused(history: &[Operation], fault: &Happened) -> Vec<u64> {
    let has_no_majority = |server: u32| match fault.kind {
        Kind::KillMajority => !fault.victims.contains(&(server as usize)),
        Kind::PartLeaderWithMinority | Kind::PartLeaderWithMajority => {
            fault.victims.contains(&(server as usize))
        }
        _ => false,
    };
    history
        .iter()
        .filter(|o| o.call_ns >= fault.from_ns && o.call_ns <= fault.mended_ns)
        .filter(|o| has_no_majority(o.server) && !o.succeeded())
        .filter_map(|o| waited_ns(o, fault.mended_ns))
        .collect()
}

/// Returns how long a request waited while there was no majority. This is the time to its answer.
/// For an answer after the mending, the reason of the wait is unknown: the time to the mending
/// counts if it exceeds the limit for any request.
fn waited_ns(operation: &Operation, mended_ns: u64) -> Option<u64> {
    let return_ns = operation.return_ns?;
    let waited_ns = return_ns.min(mended_ns) - operation.call_ns;
    (return_ns <= mended_ns || waited_ns > ANSWERED_WITHIN_NS).then_some(waited_ns)
}
