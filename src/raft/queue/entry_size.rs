//! The size of a command in a log entry.

use crate::registry::Command;

/// Returns an upper bound of the size of a command in an entry, without encoding the command.
pub(crate) fn size_of(command: &Command) -> usize {
    /// Size of a command without its texts: variant, indexes, digest and lengths.
    const BASE_BYTES: usize = 64;
    /// Maximum size of an `Arrival`.
    const ARRIVAL_BYTES: usize = 64;
    /// Maximum size of an `Arrival` in a renewal, less the part of `BASE_BYTES` that a renewal
    /// leaves unused. This estimate is tighter than for other commands because an entry should hold
    /// many renewals.
    const RENEWAL_ARRIVAL_BYTES: usize = 32;
    const RAFT_ID_BYTES: usize = 12;
    let texts = match command {
        Command::Announce { announcement, .. } | Command::OrderedAnnounce { announcement, .. } => {
            let names =
                announcement.node_id.len() + announcement.pool.len() + announcement.location.len();
            // The packed form of a service is a few bytes longer than its form in an entry.
            names + announcement.services.packed_bytes()
        }
        Command::Withdraw { node_id, .. }
        | Command::OrderedWithdraw { node_id, .. }
        | Command::Renew { node_id, .. }
        | Command::OrderedRenew { node_id, .. } => node_id.len(),
        Command::AddStatic(service) => {
            service.id.len()
                + service.service_type.len()
                + service.pool.len()
                + service.location.len()
                + service.properties.packed_bytes()
        }
        Command::RemoveStatic { id } => id.len(),
        Command::Retire { raft_ids } => raft_ids.len() * RAFT_ID_BYTES,
        Command::Tick { .. } | Command::Level(_) => 0,
    };
    let arrival = match command {
        Command::OrderedAnnounce { .. } | Command::OrderedWithdraw { .. } => ARRIVAL_BYTES,
        Command::OrderedRenew { .. } => RENEWAL_ARRIVAL_BYTES,
        _ => 0,
    };
    BASE_BYTES + arrival + texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Announcement, Service};
    use crate::registry::{Arrival, Leadership, Tail};
    use std::collections::BTreeMap;

    fn name() -> String {
        "n".repeat(1_000)
    }

    fn commands() -> Vec<Command> {
        let services = (0..3).map(|_| Service {
            id: name(),
            service_type: name(),
            properties: BTreeMap::from([(name(), "v".repeat(40_000)), ("k".to_owned(), name())]),
        });
        let announcement = Announcement {
            node_id: name(),
            pool: name(),
            location: name(),
            services: services.collect(),
        };
        vec![
            Command::OrderedAnnounce {
                arrival: largest_arrival(),
                announcement: announcement.clone(),
            },
            Command::Announce {
                seen: u64::MAX,
                announcement,
            },
            Command::Withdraw {
                seen: u64::MAX,
                node_id: name(),
            },
            Command::OrderedWithdraw {
                arrival: largest_arrival(),
                node_id: name(),
            },
            renewal(),
            Command::OrderedRenew {
                arrival: largest_arrival(),
                node_id: name(),
                digest: u128::MAX,
            },
            Command::RemoveStatic { id: name() },
            Command::Retire {
                raft_ids: vec![u64::MAX; 9],
            },
            Command::Tick {
                advance_ms: u64::MAX,
                grace_ms: Some(u64::MAX),
            },
        ]
    }

    fn largest_arrival() -> Arrival {
        Arrival {
            committed: u64::MAX,
            tail: Some(Tail {
                leadership: Leadership {
                    term: u64::MAX,
                    node: u64::MAX,
                },
                index: u64::MAX,
            }),
            previous: Some(u64::MAX),
            until_ms: Some(u64::MAX),
        }
    }

    fn renewal() -> Command {
        Command::Renew {
            seen: u64::MAX,
            node_id: name(),
            digest: u128::MAX,
        }
    }

    fn encoded(command: &Command) -> usize {
        postcard::to_stdvec(command).expect("it encodes").len()
    }

    /// [`size_of`] never returns less than the encoded size of the command.
    #[test]
    fn a_command_takes_no_more_than_its_estimate() {
        for command in commands() {
            let bytes = encoded(&command);
            assert!(size_of(&command) >= bytes, "{bytes}: {command:?}");
        }
    }
}
