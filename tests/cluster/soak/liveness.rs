//! Computes from the clients' observations for how long the service was interrupted.

use crate::support::faults::{Burst, Happened, Harm, Kind};
use quorate_checker::history::{Operation, RequestOutcome};
use quorate_checker::window::Window;
use serde::{Deserialize, Serialize};

/// Documented time within which a node without a majority refuses a request.
const ANSWERED_WITHIN_NS: u64 = 2_000_000_000;

/// Interruptions of service, in nanoseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Liveness {
    /// For each fault of a minority that did not overlap another fault: its kind, and the longest
    /// time during the fault without an acknowledged write through the unaffected nodes.
    pub write_gaps_ns: Vec<(Kind, u64)>,
    /// Number of requests served during the faults that `write_gaps_ns` counts, and the total
    /// duration of these faults.
    pub served_in_minority_faults: usize,
    pub minority_faults_ns: u64,
    /// For each request to a running node without a majority that was not served: the time for
    /// which its client waited.
    pub refused_after_ns: Vec<u64>,
    /// Number of times the leader was lost while writes were under way.
    pub leaders_lost_under_writes: usize,
}

impl Liveness {
    /// Evaluates a history of operations together with the faults during which it was recorded.
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
            // Overlapping faults are skipped, because together they may affect more than a
            // minority.
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

    /// Returns the longest time without an acknowledged write in any of the `write_gaps_ns`.
    pub fn longest_write_gap_ns(&self) -> u64 {
        let gaps_ns = self.write_gaps_ns.iter().map(|(_, gap_ns)| *gap_ns);
        gaps_ns.max().unwrap_or(0)
    }

    /// Adds a fault of a minority: the longest write gap and the served requests during it.
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

/// Returns whether a fault makes the cluster lose its leader.
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

/// Returns, for each request to a node without a majority that was not served, the time for which
/// its client waited.
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

/// Returns the time for which a request waited while there was no majority. If the answer came
/// before the fault was mended, this is the time until the answer. If the answer came later, the
/// reason for the wait is unknown. In this case, the time until the fault was mended is returned
/// only if it exceeds [`ANSWERED_WITHIN_NS`].
fn waited_ns(operation: &Operation, mended_ns: u64) -> Option<u64> {
    let return_ns = operation.return_ns?;
    let waited_ns = return_ns.min(mended_ns) - operation.call_ns;
    (return_ns <= mended_ns || waited_ns > ANSWERED_WITHIN_NS).then_some(waited_ns)
}
