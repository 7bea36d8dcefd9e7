//! The settings of authentication: the shared secrets, the tokens of people, and who must prove who
//! they are.

mod access_tokens;
mod https;
mod private_file;
mod shared_secrets;
mod trusted_addresses;

pub use access_tokens::{TokensFile, TokensFileError, read_tokens};
pub(super) use https::HTTPS_ENABLED;
pub use https::{
    CertificateOwner, HttpsFiles, HttpsFilesError, KeySource, MadeConfig, StoreBytes, StoreFile,
};
use https::{KEY_STORE, TRUST_STORE};
pub use private_file::PrivateFileError;
pub use shared_secrets::{SecretsFileError, SharedSecrets, read_secrets};

use super::paths::Paths;
use super::sources::Sources;
use super::values;
use access_tokens::{TOKENS_FILE, tokens_file};
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use shared_secrets::shared_secrets;
use trusted_addresses::trusted_addresses;

/// The configuration keys of the secret that only the nodes share, and of the secret that the nodes
/// share with the engines. For each of the two keys, another key with the suffix `-file` names a
/// file with secrets instead.
const CLUSTER_SECRET: &str = "cluster.shared-secret";
const ENGINES_SECRET: &str = "internal-communication.shared-secret";
const PEER_AUTHENTICATION: &str = "cluster.peer-authentication";
const ANNOUNCEMENT_AUTHENTICATION: &str = "discovery.announcement.authentication";
const TRUSTED_ADDRESSES: &str = "discovery.announcement.trusted-addresses";
const READ_AUTHENTICATION: &str = "discovery.read-authentication";

/// The settings of authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecuritySettings {
    /// `cluster.peer-authentication`
    pub peers: PeerAuthentication,
    /// The secrets of the peers. Without `cluster.shared-secret`, the peers use the secrets of the
    /// engines. Always present if `peers` is [`PeerAuthentication::Permissive`] or
    /// [`PeerAuthentication::Require`], and never if it is [`PeerAuthentication::Certificate`].
    pub peer_secrets: Option<SharedSecrets>,
    /// `discovery.announcement.authentication`
    pub engines: EngineAuthentication,
    /// The secrets of the engines, `internal-communication.shared-secret`. Always present unless
    /// `engines` is [`EngineAuthentication::Off`].
    pub engine_secrets: Option<SharedSecrets>,
    /// `discovery.announcement.trusted-addresses`: the networks whose engines need no token.
    pub trusted_addresses: Vec<IpNet>,
    /// `http-server.https.*`, if HTTPS is enabled. Always present, with both stores, if `peers` is
    /// [`PeerAuthentication::Certificate`].
    pub https: Option<HttpsFiles>,
    /// The certificates in `http-server.https.truststore.path`, by which the server of the
    /// inventory is verified too, besides those of the system.
    pub authorities: Vec<CertificateDer<'static>>,
    /// `cluster.tokens-file`: the tokens of people and tools.
    pub tokens: Option<TokensFile>,
    /// `discovery.read-authentication=require`: whether clients must prove who they are when they
    /// look services up.
    pub reads_need_proof: bool,
}

/// `discovery.announcement.authentication`: whether engines prove who they are when they announce
/// or withdraw themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineAuthentication {
    /// Engines prove nothing.
    Off,
    /// An engine may send no token, but a token must be valid.
    Verify,
    /// Engines must have a valid token, or a trusted address.
    Require,
}

/// `cluster.peer-authentication`: whether peers prove that they belong to the group, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerAuthentication {
    /// Peers prove nothing.
    Off,
    /// Peers prove that they have the secret if they can. Peers without a proof are accepted too.
    /// This value is for the time in which a group is changed node by node.
    Permissive,
    /// Peers must prove that they have the secret.
    Require,
    /// Peers must prove by a certificate which node they are. They need no secret.
    Certificate,
}

impl PeerAuthentication {
    /// Returns whether peers that prove nothing are refused.
    pub fn demands_proof(self) -> bool {
        matches!(
            self,
            PeerAuthentication::Require | PeerAuthentication::Certificate
        )
    }
}

/// Reads the settings of authentication. If a shared secret is configured, each proof that is given
/// with this secret is required by default.
pub(super) fn read(sources: &mut Sources, paths: &Paths) -> SecuritySettings {
    let engine_secrets = shared_secrets(sources, paths, ENGINES_SECRET);
    let own = shared_secrets(sources, paths, CLUSTER_SECRET);
    let have_engines_secret = is_named(sources, ENGINES_SECRET);
    let has_secret = have_engines_secret || is_named(sources, CLUSTER_SECRET);
    let peers = peers(sources, has_secret);
    let engines = engines(sources, have_engines_secret);
    if engines == EngineAuthentication::Require && !peers.demands_proof() {
        sources.invalid(
            ANNOUNCEMENT_AUTHENTICATION,
            &format!(
                "require needs {PEER_AUTHENTICATION}=require or certificate: otherwise everyone \
                 can announce an engine as a node of the group"
            ),
        );
    }
    let trusted_addresses = sources.read(TRUSTED_ADDRESSES, Vec::new(), trusted_addresses);
    if engines == EngineAuthentication::Require
        && trusted_addresses
            .iter()
            .any(|network| network.prefix_len() == 0)
    {
        sources.invalid(
            TRUSTED_ADDRESSES,
            &format!("trusts every address: set {ANNOUNCEMENT_AUTHENTICATION}=off instead"),
        );
    }
    let tokens = tokens_file(sources, paths);
    let has_tokens = sources.text(TOKENS_FILE).is_some();
    if has_tokens && !peers.demands_proof() {
        sources.invalid(
            TOKENS_FILE,
            &format!(
                "tokens need {PEER_AUTHENTICATION}=require or certificate: otherwise everyone can \
                 change static announcements as a node of the group"
            ),
        );
    }
    let reads_need_proof = reads(sources);
    if reads_need_proof && !peers.demands_proof() {
        sources.invalid(
            READ_AUTHENTICATION,
            &format!(
                "require needs {PEER_AUTHENTICATION}=require or certificate: otherwise everyone \
                 can read the services as a node of the group"
            ),
        );
    }
    if reads_need_proof && !has_tokens && engines == EngineAuthentication::Off {
        sources.invalid(
            READ_AUTHENTICATION,
            &format!(
                "require needs {TOKENS_FILE} or {ENGINES_SECRET}-file: otherwise no client could \
                 prove who it is"
            ),
        );
    }
    let (https, authorities) = https::read(sources, paths);
    let peer_secrets = match peers {
        PeerAuthentication::Certificate => {
            check_certificates(sources);
            None
        }
        _ => own.or_else(|| engine_secrets.clone()),
    };
    SecuritySettings {
        peers,
        peer_secrets,
        engines,
        engine_secrets,
        trusted_addresses,
        https,
        authorities,
        tokens,
        reads_need_proof,
    }
}

/// Reads `cluster.peer-authentication`.
fn peers(sources: &mut Sources, has_secret: bool) -> PeerAuthentication {
    use PeerAuthentication::{Certificate, Off, Permissive, Require};
    let default = if has_secret { Require } else { Off };
    let peers = sources.read(PEER_AUTHENTICATION, default, |text| {
        values::one_of(
            text,
            &[
                ("OFF", Off),
                ("PERMISSIVE", Permissive),
                ("REQUIRE", Require),
                ("CERTIFICATE", Certificate),
            ],
        )
    });
    match (peers, has_secret) {
        (Permissive | Require, false) => {
            needs_secret(sources, PEER_AUTHENTICATION, CLUSTER_SECRET);
        }
        (Off, true) => sources.notices.push(format!(
            "{PEER_AUTHENTICATION} is off: peers do not prove that they have the shared secret"
        )),
        _ => {}
    }
    peers
}

/// Checks the other keys that `cluster.peer-authentication=certificate` needs, and those that it
/// excludes.
fn check_certificates(sources: &mut Sources) {
    let is_enabled = sources.text(HTTPS_ENABLED);
    let missing = match is_enabled.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        false => vec![format!("{HTTPS_ENABLED}=true")],
        true => [KEY_STORE, TRUST_STORE]
            .into_iter()
            .filter(|key| sources.text(key).is_none())
            .map(str::to_owned)
            .collect(),
    };
    for needed in missing {
        sources.invalid(
            PEER_AUTHENTICATION,
            &format!(
                "certificate needs {needed}: nodes show the certificate of the key store, and \
             verify those of others by the trust store"
            ),
        );
    }
    for secret in [CLUSTER_SECRET.to_owned(), format!("{CLUSTER_SECRET}-file")] {
        if sources.text(&secret).is_some() {
            sources.invalid(
                &secret,
                &format!(
                    "cannot be set beside {PEER_AUTHENTICATION}=certificate: nodes prove who \
                 they are either by a secret or by certificates"
                ),
            );
        }
    }
}

/// Reads `discovery.announcement.authentication`.
fn engines(sources: &mut Sources, has_secret: bool) -> EngineAuthentication {
    use EngineAuthentication::{Off, Require, Verify};
    let default = if has_secret { Require } else { Off };
    let engines = sources.read(ANNOUNCEMENT_AUTHENTICATION, default, |text| {
        values::one_of(
            text,
            &[("OFF", Off), ("VERIFY", Verify), ("REQUIRE", Require)],
        )
    });
    if engines != Off && !has_secret {
        needs_secret(sources, ANNOUNCEMENT_AUTHENTICATION, ENGINES_SECRET);
    }
    engines
}

/// Reads `discovery.read-authentication`.
fn reads(sources: &mut Sources) -> bool {
    sources.read(READ_AUTHENTICATION, false, |text| {
        values::one_of(text, &[("OFF", false), ("REQUIRE", true)])
    })
}

fn needs_secret(sources: &mut Sources, key: &str, secret: &str) {
    let mode = sources.text(key).unwrap_or_default().to_owned();
    sources.invalid(
        key,
        &format!("{mode} needs a shared secret: set {secret}-file"),
    );
}

fn is_named(sources: &Sources, key: &str) -> bool {
    sources.text(key).is_some() || sources.text(&format!("{key}-file")).is_some()
}
