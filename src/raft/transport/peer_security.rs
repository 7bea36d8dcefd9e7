//! The proof by which a peer shows that it belongs to the group (`cluster.peer-authentication`).

use crate::planted::{Bug, is_planted};
use crate::raft::transport::messages::{PeerStatus, Response};
use crate::security::{PeerKeys, PublicKey};
use std::sync::Arc;
use tokio::sync::watch;

/// The proof that this node gives to its peers and demands from them.
#[derive(Debug, Clone)]
pub enum PeerSecurity {
    /// No proof. A peer is believed to be the member that it claims to be, so anyone who can reach
    /// the port can act as a member.
    Off,
    /// A key that only nodes with the shared secret have. The keys change when the secrets are
    /// rotated.
    Keys {
        /// The keys that are valid now.
        keys: watch::Receiver<Arc<PeerKeys>>,
        /// Whether peers without a proof are dialed and accepted too (`permissive`). This is needed
        /// while the nodes of a group are changed one by one from [`PeerSecurity::Off`].
        accepts_plain: bool,
    },
}

/// The proof that the other end of a connection has given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerProof {
    /// No proof, because the connection is plain text.
    Plain,
    /// A proof that the other end has the private key of this public key, and therefore the shared
    /// secret.
    Key(PublicKey),
}

impl PeerSecurity {
    /// Returns the keys that are valid now, or `None` if peers prove nothing.
    pub(crate) fn keys(&self) -> Option<Arc<PeerKeys>> {
        match self {
            PeerSecurity::Off => None,
            PeerSecurity::Keys { keys, .. } => Some(keys.borrow().clone()),
        }
    }

    /// Returns whether peers without a proof are dialed and accepted.
    pub(crate) fn accepts_plain(&self) -> bool {
        match self {
            PeerSecurity::Off => true,
            PeerSecurity::Keys { accepts_plain, .. } => {
                *accepts_plain || is_planted(Bug::PermissiveForever)
            }
        }
    }

    /// Returns whether a connection with this proof may be used.
    pub(crate) fn accepts(&self, proof: &PeerProof) -> bool {
        match proof {
            PeerProof::Plain => self.accepts_plain(),
            PeerProof::Key(key) => self.keys().is_some_and(|keys| keys.accepts(key)),
        }
    }

    /// Returns whether the statements of a peer may stop this node. If peers have keys to prove
    /// their identity, only a peer that gave a proof may stop this node.
    pub(crate) fn may_stop(&self, proof: &PeerProof) -> bool {
        matches!(self, PeerSecurity::Off) || matches!(proof, PeerProof::Key(_))
    }

    /// Waits until the secret behind this proof is withdrawn. After that, a connection with the
    /// proof must not be used any more. Never returns for [`PeerProof::Plain`].
    pub(crate) async fn withdrawn(&self, proof: &PeerProof) {
        if let (PeerSecurity::Keys { keys, .. }, PeerProof::Key(key)) = (self, proof) {
            let mut keys = keys.clone();
            if keys.wait_for(|keys| !keys.accepts(key)).await.is_ok() {
                return;
            }
        }
        std::future::pending().await
    }
}

/// Removes the digests from an answer of a peer that may not stop this node. A digest that differs
/// from the digest of this node could stop this node.
pub(crate) fn without_digests(response: Response) -> Response {
    match response {
        Response::Status(status) => Response::Status(PeerStatus {
            digests: Vec::new(),
            ..status
        }),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::transport::StateDigest;
    use crate::security::SecretList;

    /// The removal of the digests changes nothing else in an answer, so a plain member still takes
    /// part in the group.
    #[test]
    fn only_digests_are_removed() {
        let digest = StateDigest {
            index: 64,
            digest: 1,
        };
        let status = PeerStatus {
            applied: 70,
            disk_low: true,
            digests: vec![digest],
            level: 4,
        };
        let Response::Status(kept) = without_digests(Response::Status(status)) else {
            panic!("it is a status no more");
        };
        assert_eq!((kept.applied, kept.disk_low, kept.level), (70, true, 4));
        assert!(kept.digests.is_empty());
    }

    /// Without keys, every peer may stop a node. With keys, a peer on a plain connection may not,
    /// even if plain connections are accepted.
    #[test]
    fn only_proven_peers_may_stop_a_node() {
        assert!(PeerSecurity::Off.may_stop(&PeerProof::Plain));
        let secrets = SecretList::parse("a-secret-of-32-bytes-or-some-more").expect("a list");
        let keys = PeerKeys::derive(&secrets, "test").expect("keys");
        let (_sender, keys) = watch::channel(Arc::new(keys));
        for accepts_plain in [true, false] {
            let keys = keys.clone();
            let security = PeerSecurity::Keys {
                keys,
                accepts_plain,
            };
            assert!(!security.may_stop(&PeerProof::Plain));
            assert_eq!(security.accepts(&PeerProof::Plain), accepts_plain);
        }
    }
}
