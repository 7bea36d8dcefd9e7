//! The proof by which a peer shows that it belongs to the group (`cluster.peer-authentication`).

use crate::planted::{Bug, is_planted};
use crate::raft::transport::messages::{PeerStatus, Response};
use crate::security::{CertificateProof, PeerCertificates, PeerKeys, PublicKey};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ServerConfig};
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
    /// A certificate that names the host of the peer, of an authority that this node trusts. They
    /// change when the stores of HTTPS are replaced.
    Certificates(watch::Receiver<Arc<PeerCertificates>>),
}

/// The means to prove who this node is and to check the proofs of its peers, at one moment.
#[derive(Debug, Clone)]
pub enum PeerCredentials {
    /// See [`PeerSecurity::Keys`].
    Keys(Arc<PeerKeys>),
    /// See [`PeerSecurity::Certificates`].
    Certificates(Arc<PeerCertificates>),
}

/// The proof that the other end of a connection has given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerProof {
    /// No proof, because the connection is plain text.
    Plain,
    /// A proof that the other end has the private key of this public key, and therefore the shared
    /// secret.
    Key(PublicKey),
    /// A proof that the other end has the private key of a certificate that the trust store of this
    /// node has verified. It proves which hosts the other end may be. Whether the claimed node is
    /// at one of them must be checked too.
    Certificate(CertificateProof),
}

impl PeerProof {
    /// Returns whether this is more than a claim.
    pub(crate) fn is_proven(&self) -> bool {
        *self != PeerProof::Plain
    }
}

impl PeerCredentials {
    /// Returns the TLS settings with which peers are dialed.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        match self {
            PeerCredentials::Keys(keys) => keys.client_config(),
            PeerCredentials::Certificates(certificates) => certificates.client_config(),
        }
    }

    /// Returns the TLS settings with which peers are accepted.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        match self {
            PeerCredentials::Keys(keys) => keys.server_config(),
            PeerCredentials::Certificates(certificates) => certificates.server_config(),
        }
    }

    /// Returns the proof that the other end has given on a connection with these settings. Returns
    /// `None` without a complete handshake.
    pub fn proof(&self, shown: Option<&[CertificateDer<'_>]>) -> Option<PeerProof> {
        match self {
            PeerCredentials::Keys(_) => PublicKey::shown(shown).map(PeerProof::Key),
            PeerCredentials::Certificates(certificates) => {
                certificates.proof(shown).map(PeerProof::Certificate)
            }
        }
    }
}

impl PeerSecurity {
    /// Returns the credentials that are valid now, or `None` if peers prove nothing.
    pub(crate) fn credentials(&self) -> Option<PeerCredentials> {
        match self {
            PeerSecurity::Off => None,
            PeerSecurity::Keys { keys, .. } => Some(PeerCredentials::Keys(keys.borrow().clone())),
            PeerSecurity::Certificates(certificates) => {
                Some(PeerCredentials::Certificates(certificates.borrow().clone()))
            }
        }
    }

    /// Returns whether peers without a proof are dialed and accepted.
    pub(crate) fn accepts_plain(&self) -> bool {
        match self {
            PeerSecurity::Off => true,
            PeerSecurity::Keys { accepts_plain, .. } => {
                *accepts_plain || is_planted(Bug::PermissiveForever)
            }
            PeerSecurity::Certificates(_) => false,
        }
    }

    /// Returns whether a connection with this proof may be used.
    pub(crate) fn accepts(&self, proof: &PeerProof) -> bool {
        match (proof, self) {
            (PeerProof::Plain, _) => self.accepts_plain(),
            (PeerProof::Key(key), PeerSecurity::Keys { keys, .. }) => keys.borrow().accepts(key),
            (PeerProof::Certificate(proof), PeerSecurity::Certificates(certificates)) => {
                certificates.borrow().accepts(proof)
            }
            (PeerProof::Key(_) | PeerProof::Certificate(_), _) => false,
        }
    }

    /// Returns whether the statements of a peer may stop this node. If peers have the means to
    /// prove their identity, only a peer that gave a proof may stop this node.
    pub(crate) fn may_stop(&self, proof: &PeerProof) -> bool {
        matches!(self, PeerSecurity::Off) || proof.is_proven()
    }

    /// Waits until the secret or the trust store behind this proof is withdrawn. After that, a
    /// connection with the proof must not be used any more. Never returns for
    /// [`PeerProof::Plain`].
    pub(crate) async fn withdrawn(&self, proof: &PeerProof) {
        let is_withdrawn = match (self, proof) {
            (PeerSecurity::Keys { keys, .. }, PeerProof::Key(key)) => {
                let mut keys = keys.clone();
                keys.wait_for(|keys| !keys.accepts(key)).await.is_ok()
            }
            (PeerSecurity::Certificates(certificates), PeerProof::Certificate(proof)) => {
                let mut certificates = certificates.clone();
                let withdrawn = certificates.wait_for(|present| !present.accepts(proof));
                withdrawn.await.is_ok()
            }
            _ => false,
        };
        if is_withdrawn {
            return;
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
    use crate::security::{KeyStore, SecretList, StorePasswords};
    use futures_util::FutureExt;

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
            facts: None,
        };
        let Response::Status(kept) = without_digests(Response::Status(status)) else {
            panic!("it is a status no more");
        };
        assert_eq!((kept.applied, kept.disk_low, kept.level), (70, true, 4));
        assert!(kept.digests.is_empty());
    }

    /// Reads a store of the fixtures from several files.
    fn store(names: &[&str]) -> KeyStore {
        let stores = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/crates/security/src/key_store/stores"
        );
        let files = names
            .iter()
            .map(|name| std::fs::read(format!("{stores}/{name}.pem")));
        let files = files.collect::<Result<Vec<_>, _>>().expect("fixtures");
        let passwords = StorePasswords {
            store: None,
            key: None,
        };
        KeyStore::read(&files.concat(), &passwords).expect("a store")
    }

    fn certificates(of: &str, trusted: &str) -> Arc<PeerCertificates> {
        let key_store = store(&[of, &format!("{of}.pkcs8"), "intermediate"]);
        let certificates = PeerCertificates::new(&key_store, &store(&[trusted]));
        Arc::new(certificates.expect("settings"))
    }

    /// With certificates, only a peer that shows one is accepted and may stop a node. The proof
    /// outlives another certificate of this node, and ends with the trust store that verified it.
    #[test]
    fn a_proof_ends_with_its_trust_store() {
        let (sender, present) = watch::channel(certificates("ec", "root"));
        let security = PeerSecurity::Certificates(present);
        let shown = store(&["client"]).trusted().to_vec();
        let credentials = security.credentials().expect("it has some");
        let proof = credentials.proof(Some(&shown)).expect("a proof");
        assert!(security.accepts(&proof) && security.may_stop(&proof));
        let key = PublicKey::shown(Some(&shown)).map(PeerProof::Key);
        for other in [PeerProof::Plain, key.expect("a key")] {
            assert!(!security.accepts(&other), "{other:?}");
        }
        assert!(!security.may_stop(&PeerProof::Plain) && !security.accepts_plain());
        assert!(!PeerSecurity::Off.accepts(&proof));

        let mut withdrawn = Box::pin(security.withdrawn(&proof));
        assert!(withdrawn.as_mut().now_or_never().is_none());
        sender.send_replace(certificates("rsa", "root"));
        assert!(security.accepts(&proof));
        assert!(withdrawn.as_mut().now_or_never().is_none());
        sender.send_replace(certificates("ec", "stranger"));
        assert!(!security.accepts(&proof));
        assert!(withdrawn.as_mut().now_or_never().is_some());
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
