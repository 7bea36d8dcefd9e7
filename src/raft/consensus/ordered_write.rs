//! One write of a node id, from its arrival to what came of it.

use crate::clock::{self, Instant};
use crate::model::{Announcement, BadAnnouncement};
use crate::planted::{Bug, is_planted};
use crate::raft::error::WriteError;
use crate::raft::group::Group;
use crate::raft::health::explain;
use crate::raft::membership::feature_level;
use crate::raft::transport::WriteResult;
use crate::registry::{Arrival, Command, LEVEL_OF_ORDER, Outcome};

/// What a client asked for.
pub(crate) enum Wish<'a, F> {
    /// To announce, or to renew what has this digest.
    Announce {
        node_id: &'a str,
        digest: u128,
        /// The announcement itself, asked for where a renewal will not do.
        announcement: F,
    },
    /// To leave.
    Withdraw { node_id: &'a str },
}

impl<F: FnMut() -> Result<Announcement, BadAnnouncement>> Wish<'_, F> {
    fn node_id(&self) -> &str {
        match self {
            Wish::Announce { node_id, .. } | Wish::Withdraw { node_id } => node_id,
        }
    }

    /// The command that says it, to a registry of the present level.
    fn command(
        &mut self,
        group: &Group,
        arrival: &Arrival,
        may_renew: bool,
    ) -> Result<Command, WriteError> {
        let (is_ordered, is_held) = {
            let registry = group.replica.registry();
            let is_held = match self {
                Wish::Announce {
                    node_id, digest, ..
                } => registry.holds(node_id, *digest),
                Wish::Withdraw { .. } => false,
            };
            (registry.level() >= LEVEL_OF_ORDER, is_held)
        };
        // What every voter knows before that level: one index, without what only the leader's own
        // entries allow.
        let seen = arrival.committed.max(arrival.previous.unwrap_or(0));
        let arrival = *arrival;
        Ok(match self {
            Wish::Announce {
                node_id, digest, ..
            } if is_held && may_renew => {
                let (node_id, digest) = ((*node_id).to_owned(), *digest);
                // See `Command` for why it need not end.
                let until_ms = None;
                match is_ordered {
                    true => Command::OrderedRenew {
                        arrival: Arrival {
                            until_ms,
                            ..arrival
                        },
                        node_id,
                        digest,
                    },
                    false => Command::Renew {
                        seen,
                        node_id,
                        digest,
                    },
                }
            }
            Wish::Announce { announcement, .. } => {
                let announcement =
                    announcement().map_err(|error| WriteError::NotApplied(error.to_string()))?;
                // At every level: the limits of a level are for what is in the log already.
                if let Some(objection) = group.replica.registry().objection(&announcement) {
                    return Err(WriteError::Refused(objection));
                }
                match is_ordered {
                    true => Command::OrderedAnnounce {
                        arrival,
                        announcement,
                    },
                    false => Command::Announce { seen, announcement },
                }
            }
            Wish::Withdraw { node_id } => {
                let node_id = (*node_id).to_owned();
                match is_ordered {
                    true => Command::OrderedWithdraw { arrival, node_id },
                    false => Command::Withdraw { seen, node_id },
                }
            }
        })
    }
}

/// Writes for a node id, with the evidence of now: see [`Command`] for what that is good for.
///
/// What may have been applied is never proposed again, and what was overtaken never with later
/// evidence: its client is told to send it again, and what it sends arrives anew. If a renewal
/// finds nothing to renew, the announcement is proposed with the evidence of the arrival.
pub(crate) async fn write<F>(
    group: &Group,
    mut wish: Wish<'_, F>,
    deadline: Instant,
) -> Result<u64, WriteError>
where
    F: FnMut() -> Result<Announcement, BadAnnouncement> + Send,
{
    let noted = || arrival(group, deadline);
    let (place, mut arrival) = group.turns.enter_noting(wish.node_id(), noted);
    let Ok(turn) = tokio::time::timeout_at(deadline, place.turn()).await else {
        let reason = format!("an earlier write of {} is still under way", wish.node_id());
        return Err(WriteError::NotApplied(explain(group, reason)));
    };
    arrival.previous = turn.previous();
    feature_level::settled(group, deadline).await;
    let (mut may_renew, mut is_level) = (true, false);
    loop {
        let command = match wish.command(group, &arrival, may_renew) {
            // What is held may be renewed whatever its size, and this node may be behind.
            Err(WriteError::Refused(_)) if !is_level => {
                let confirmed = group.confirm_applied(deadline).await;
                confirmed.map_err(|error| WriteError::NotApplied(explain(group, error.reason)))?;
                is_level = true;
                continue;
            }
            command => command?,
        };
        match group.writes.write(command, deadline).await {
            WriteResult::Done { outcome, index } => {
                group.replica.evidence().note_committed(index);
                match outcome {
                    Outcome::NotHeld => may_renew = false,
                    Outcome::Overtaken if is_planted(Bug::SecondProposal) => {
                        arrival.committed = arrival.committed.max(index);
                    }
                    Outcome::Overtaken => {
                        return Err(WriteError::NotApplied(format!(
                            "overtaken by another write of node {}; send it again",
                            wish.node_id()
                        )));
                    }
                    Outcome::Full => return Err(WriteError::full()),
                    Outcome::OverLimit => return Err(WriteError::over_limit()),
                    Outcome::Applied | Outcome::Expired(_) => {
                        turn.accepted(index);
                        return Ok(index);
                    }
                }
            }
            WriteResult::NotApplied(reason) => {
                return Err(WriteError::NotApplied(explain(group, reason)));
            }
            WriteResult::Unknown(_) if is_planted(Bug::Reproposed) && clock::now() < deadline => {}
            WriteResult::Unknown(reason) => {
                return Err(WriteError::Unknown(explain(group, reason)));
            }
        }
    }
}

fn arrival(group: &Group, deadline: Instant) -> Arrival {
    let (committed, tail) = group.replica.evidence().known();
    let client_waits = deadline.duration_since(clock::now());
    Arrival {
        committed,
        tail,
        previous: None,
        until_ms: group.options.beat.highest_cluster_ms(client_waits),
    }
}
