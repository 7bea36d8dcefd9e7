//! The peers that have proved that they have the shared secret, while others may still be plain
//! (`cluster.peer-authentication=permissive`).
//!
//! A member that proves itself is protected from plain connections in its name: they are refused,
//! and what they said before does not count against it.

use super::Peers;
use crate::clock;
use crate::locks::lock;
use crate::raft::log_target;
use crate::raft::transport::PeerIdentity;
use crate::storage::types::RaftId;
use std::time::Duration;

/// Time after its last proven answer for which plain connections in a member's name are refused. It
/// lets an operator go back from `permissive` to `off`: the members accept the plain node once they
/// have not heard from the proven one for this time.
const PROVED_FOR: Duration = Duration::from_secs(30);

impl Peers {
    /// Checks a peer on a new connection. `plain_because` is the reason why it has proved nothing
    /// about itself, if peers can; its statements are then not recorded.
    ///
    /// # Errors
    /// The reason why the peer is not the member that it claims to be.
    pub(crate) fn verify(
        &self,
        from: &PeerIdentity,
        plain_because: Option<&str>,
    ) -> Result<(), String> {
        let id = from.name.raft_id();
        match plain_because {
            None => {
                self.verify_identity(from)?;
                self.note_proved(id);
                Ok(())
            }
            Some(_) if self.has_proved(id) => Err(format!(
                "{} has just proved the shared secret, so a plain connection in its name is refused",
                from.name.node_id
            )),
            Some(reason) => {
                self.note_plain(from, reason);
                Ok(())
            }
        }
    }

    /// Returns whether a peer has recently proved that it has the shared secret.
    pub(crate) fn has_proved(&self, id: RaftId) -> bool {
        let known = lock(&self.known);
        let proved_at = known.get(&id).and_then(|known| known.proved_at);
        proved_at.is_some_and(|at| clock::now().duration_since(at) < PROVED_FOR)
    }

    /// Records that a peer has proved itself. Plain connections to its address are given up.
    fn note_proved(&self, id: RaftId) {
        let was_plain = {
            let mut known = lock(&self.known);
            let known = known.entry(id).or_default();
            known.proved_at = Some(clock::now());
            std::mem::take(&mut known.is_plain)
        };
        if was_plain {
            lock(&self.clients).retain(|(target, ..), _| *target != id);
        }
    }

    /// Records that a peer is plain, and logs the reason once: the peer is refused as soon as
    /// `cluster.peer-authentication` is `require`.
    fn note_plain(&self, from: &PeerIdentity, reason: &str) {
        let mut known = lock(&self.known);
        let known = known.entry(from.name.raft_id()).or_default();
        known.proved_at = None;
        if !std::mem::replace(&mut known.is_plain, true) {
            tracing::warn!(
                target: log_target::PEERS,
                "{} is accepted without a proof of the shared secret, since \
                 cluster.peer-authentication is permissive: {reason}",
                from.name.node_id
            );
        }
    }
}
