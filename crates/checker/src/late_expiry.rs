//! The check of promise d: silent nodes disappear in time.
//!
//! In a healthy cluster, a silent node disappears within max-age plus an allowance (2 s) after its
//! last accepted renewal.
//!
//! This check is separate, since the promise holds only in periods without faults. At other times,
//! a late expiry is always legal, since cluster time may stop.

use crate::history::{Input, Name, Operation, RequestOutcome};
use crate::window::Window;
use std::collections::HashMap;

/// A lookup that still shows a node that should have expired. `lookup` and `renewal` are indexes
/// into the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overstay {
    /// The lookup.
    pub lookup: usize,
    /// The node's last renewal that was called before the lookup was over.
    pub renewal: usize,
    /// The time in nanoseconds for which the node had been silent when the lookup was called. It is
    /// counted from the time at which `renewal` was over, or from the beginning of the period
    /// without faults (`span` in [`overstays`]) if that is later.
    pub silent_ns: u64,
}

/// Returns every lookup that shows a node too late within `span`, a period without faults.
///
/// The period begins once the cluster is healthy again and any `discovery.recovery-grace` is over.
/// Silence before the period does not count. `longest_ns` is the sum of max-age and the allowance.
/// A node is not checked after an announcement with an unknown outcome, since the announcement may
/// have renewed the node.
#[must_use]
pub fn overstays(history: &[Operation], span: Window, longest_ns: u64) -> Vec<Overstay> {
    let renewals = renewals(history);
    let mut found = Vec::new();
    for (at, operation) in history.iter().enumerate() {
        let RequestOutcome::Found(services) = &operation.outcome else {
            continue;
        };
        if !span.contains(operation.call_ns) || !span.contains(operation.over_by_ns()) {
            continue;
        }
        let mut nodes: Vec<&Name> = services.iter().map(|service| &service.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            let Some(last) = last_before(renewals.get(node), operation.over_by_ns()) else {
                continue;
            };
            let since_ns = last.over_by_ns.max(span.from_ns);
            let silent_ns = operation.call_ns.saturating_sub(since_ns);
            if silent_ns > longest_ns {
                found.push(Overstay {
                    lookup: at,
                    renewal: last.operation,
                    silent_ns,
                });
            }
        }
    }
    found
}

/// An announcement that may have been accepted.
#[derive(Debug, Clone, Copy)]
struct Renewal {
    call_ns: u64,
    /// The time by which this announcement and all earlier announcements of the node were over.
    over_by_ns: u64,
    operation: usize,
}

/// Returns the announcements of each node, sorted by the time of the call.
fn renewals(history: &[Operation]) -> HashMap<&Name, Vec<Renewal>> {
    let mut renewals: HashMap<&Name, Vec<Renewal>> = HashMap::new();
    for (at, operation) in history.iter().enumerate() {
        let Input::Announce { node, .. } = &operation.input else {
            continue;
        };
        if operation.outcome != RequestOutcome::Refused {
            renewals.entry(node).or_default().push(Renewal {
                call_ns: operation.call_ns,
                over_by_ns: operation.over_by_ns(),
                operation: at,
            });
        }
    }
    for of_node in renewals.values_mut() {
        of_node.sort_by_key(|renewal| renewal.call_ns);
        let mut latest_ns = 0;
        for renewal in of_node {
            latest_ns = renewal.over_by_ns.max(latest_ns);
            renewal.over_by_ns = latest_ns;
        }
    }
    renewals
}

/// Returns the last renewal that was called at or before a time.
fn last_before(renewals: Option<&Vec<Renewal>>, time_ns: u64) -> Option<Renewal> {
    let renewals = renewals?;
    let end = renewals.partition_point(|renewal| renewal.call_ns <= time_ns);
    renewals.get(end.checked_sub(1)?).copied()
}
