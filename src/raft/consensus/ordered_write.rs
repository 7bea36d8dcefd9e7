//! Executes one announcement or withdrawal of a node id, from its arrival to its outcome.

use crate::clock::{self, Instant};
use crate::model::{Announcement, BadAnnouncement};
use crate::planted::{Bug, is_planted};
use crate::raft::error::{Unavailable, WriteError};
use crate::raft::group::Group;
use crate::raft::health::explain;
use crate::raft::lookup_result::announcement;
use crate::raft::membership::feature_level;
use crate::raft::transport::WriteResult;
use crate::registry::{Arrival, Command, LEVEL_OF_ORDER, Outcome};

/// A check of a client against the registered announcement of the node that the client writes, or
/// against the absence of one. Returns the reason why the client may not write the node.
///
/// It runs after the evidence of the write is collected. A change of the node that is committed
/// later than the check therefore makes the write superseded.
pub type RegisteredCheck<'a> =
    &'a (dyn Fn(Option<&Announcement>) -> Result<(), String> + Send + Sync);

/// The write that a client requests.
pub(crate) enum RequestedWrite<'a, F> {
    /// An announcement, or a renewal if the stored announcement has the same digest.
    Announce {
        node_id: &'a str,
        digest: u128,
        /// Supplies the full announcement; called only when a renewal is not possible.
        announcement: F,
    },
    /// A withdrawal of the node.
    Withdraw { node_id: &'a str },
}

impl<F: FnMut() -> Result<Announcement, BadAnnouncement>> RequestedWrite<'_, F> {
    fn node_id(&self) -> &str {
        match self {
            RequestedWrite::Announce { node_id, .. } | RequestedWrite::Withdraw { node_id } => {
                node_id
            }
        }
    }

    /// Returns the command for this request. The form of the command depends on the current feature
    /// level of commands in the registry.
    fn command(
        &mut self,
        group: &Group,
        arrival: &Arrival,
        may_renew: bool,
    ) -> Result<Command, WriteError> {
        let (is_ordered, is_registered) = {
            let registry = group.replica.registry();
            let is_registered = match self {
                RequestedWrite::Announce {
                    node_id, digest, ..
                } => registry.holds(node_id, *digest),
                RequestedWrite::Withdraw { .. } => false,
            };
            (registry.level() >= LEVEL_OF_ORDER, is_registered)
        };
        // Below the feature level `LEVEL_OF_ORDER`, a command carries a single log index, which
        // every voter understands. This index must not include `arrival.tail`, the last entry that
        // a leader was known to have. The tail counts only if that leader also proposes this write,
        // and a single index cannot name the leader.
        let seen = arrival.committed.max(arrival.previous.unwrap_or(0));
        let arrival = *arrival;
        Ok(match self {
            RequestedWrite::Announce {
                node_id, digest, ..
            } if is_registered && may_renew => {
                let (node_id, digest) = ((*node_id).to_owned(), *digest);
                // The documentation of `Command` explains why a renewal needs no `until_ms`.
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
            RequestedWrite::Announce { announcement, .. } => {
                let announcement =
                    announcement().map_err(|error| WriteError::NotApplied(error.into()))?;
                // Check the size at every level of commands, because the level decides only how
                // `apply` treats the commands that are already in the log.
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
            RequestedWrite::Withdraw { node_id } => {
                let node_id = (*node_id).to_owned();
                match is_ordered {
                    true => Command::OrderedWithdraw { arrival, node_id },
                    false => Command::Withdraw { seen, node_id },
                }
            }
        })
    }
}

/// Proposes a write of a node id with the evidence, which is the log positions that this node knew
/// when the write arrived. [`Command`] describes the use of the evidence.
///
/// - A write that may have been applied is never proposed again.
/// - A superseded write is not proposed again either. Its client gets an error and must send the
///   write again. The evidence is then collected anew.
/// - If a renewal finds nothing to renew, the full announcement is proposed with the same evidence.
pub(crate) async fn write<F>(
    group: &Group,
    mut request: RequestedWrite<'_, F>,
    check: Option<RegisteredCheck<'_>>,
    deadline: Instant,
) -> Result<u64, WriteError>
where
    F: FnMut() -> Result<Announcement, BadAnnouncement> + Send,
{
    let noted = || arrival(group, deadline);
    let (ticket, mut arrival) = group.write_order.enter_noting(request.node_id(), noted);
    let Ok(guard) = tokio::time::timeout_at(deadline, ticket.guard()).await else {
        let reason = Unavailable::EarlierWrite {
            node_id: request.node_id().to_owned(),
        };
        return Err(WriteError::NotApplied(explain(group, reason)));
    };
    arrival.previous = guard.previous();
    feature_level::settled(group, deadline).await;
    // The rare steps are boxed, so that they do not make the future of each waiting write larger.
    if let Some(check) = check {
        Box::pin(run_check(group, request.node_id(), check, deadline)).await?;
    }
    let (mut may_renew, mut is_level) = (true, false);
    loop {
        let command = match request.command(group, &arrival, may_renew) {
            // The announcement exceeds a limit on size, but a stored announcement may be renewed
            // whatever its size. This node may not have applied the stored announcement yet, so
            // catch up before refusing.
            Err(WriteError::Refused(_)) if !is_level => {
                let confirmed = Box::pin(group.confirm_applied(deadline)).await;
                confirmed.map_err(|error| WriteError::NotApplied(explain(group, error)))?;
                is_level = true;
                continue;
            }
            command => command?,
        };
        match group.write_queue.write(command, deadline).await {
            WriteResult::Done { outcome, index } => {
                group.replica.evidence().note_committed(index);
                match outcome {
                    Outcome::NotRegistered => may_renew = false,
                    Outcome::Superseded if is_planted(Bug::SecondProposal) => {
                        arrival.committed = arrival.committed.max(index);
                    }
                    Outcome::Superseded => {
                        return Err(WriteError::NotApplied(Unavailable::Overtaken {
                            node_id: request.node_id().to_owned(),
                        }));
                    }
                    Outcome::CapacityExceeded => {
                        return Err(WriteError::NotApplied(Unavailable::RegistryFull));
                    }
                    Outcome::OverLimit => return Err(WriteError::over_limit()),
                    Outcome::Applied | Outcome::Expired(_) => {
                        guard.accepted(index);
                        return Ok(index);
                    }
                }
            }
            WriteResult::NotApplied(reason) => {
                let reason = explain(group, Unavailable::Reported(reason));
                return Err(WriteError::NotApplied(reason));
            }
            WriteResult::Unknown(_) if is_planted(Bug::Reproposed) && clock::now() < deadline => {}
            WriteResult::Unknown(reason) => {
                let reason = explain(group, Unavailable::Reported(reason));
                return Err(WriteError::Unknown(reason));
            }
        }
    }
}

/// Runs the check of a client against the state of the whole group, because this node may lag.
async fn run_check(
    group: &Group,
    node_id: &str,
    check: RegisteredCheck<'_>,
    deadline: Instant,
) -> Result<(), WriteError> {
    let confirmed = group.confirm_applied(deadline).await;
    confirmed.map_err(|error| WriteError::NotApplied(explain(group, error)))?;
    let registered = announcement(group, node_id);
    check(registered.as_ref()).map_err(WriteError::NotPermitted)
}

/// Collects the evidence of a write that arrives now: the log positions that this node knows of,
/// and the highest value that cluster time can have when the client gives up.
fn arrival(group: &Group, deadline: Instant) -> Arrival {
    let (committed, tail) = group.replica.evidence().known();
    let client_waits = deadline.duration_since(clock::now());
    Arrival {
        committed,
        tail,
        previous: None,
        until_ms: group
            .options
            .pause_detector
            .highest_cluster_ms(client_waits),
    }
}
