//! Writes about static services, which no other write can supersede.

use crate::clock::{self, Instant};
use crate::planted::{Bug, is_planted};
use crate::raft::error::{Unavailable, WriteError};
use crate::raft::group::Group;
use crate::raft::health::explain;
use crate::raft::transport::WriteResult;
use crate::registry::{Command, Outcome};

/// Proposes a command about a static service. Returns the log index of the command.
///
/// # Errors
/// When the command was certainly not applied, or when it may have been applied.
pub(in crate::raft) async fn write(
    group: &Group,
    command: Command,
    deadline: Instant,
) -> Result<u64, WriteError> {
    loop {
        return match group.write_queue.write(command.clone(), deadline).await {
            WriteResult::Done {
                outcome: Outcome::CapacityExceeded,
                ..
            } => Err(WriteError::NotApplied(Unavailable::RegistryFull)),
            WriteResult::Done {
                outcome: Outcome::OverLimit,
                ..
            } => Err(WriteError::over_limit()),
            WriteResult::Done { index, .. } => Ok(index),
            WriteResult::NotApplied(reason) => {
                let reason = explain(group, Unavailable::Reported(reason));
                Err(WriteError::NotApplied(reason))
            }
            // A write that may have been applied is never proposed again.
            WriteResult::Unknown(_) if is_planted(Bug::Reproposed) && clock::now() < deadline => {
                continue;
            }
            WriteResult::Unknown(reason) => {
                let reason = explain(group, Unavailable::Reported(reason));
                Err(WriteError::Unknown(reason))
            }
        };
    }
}
