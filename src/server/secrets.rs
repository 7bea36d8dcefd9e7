//! The keys of the shared secrets and the tokens of people, which are read again while the server
//! runs.

use super::file_reload::FileReload;
use crate::audit::{AUDIT_TARGET, START};
use crate::config::{
    EngineAuthentication, PeerAuthentication, SecuritySettings, Settings, SharedSecrets,
    TokensFile, read_secrets, read_tokens,
};
use crate::http::EngineSecurity;
use crate::raft::PeerSecurity;
use crate::security::{AccessTokens, EngineKeys, PeerCertificates, PeerKeys, SecretList};
use anyhow::Context;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Time between two reads of a file with secrets or tokens.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// Logs which proofs are not demanded.
pub(super) fn warn_of_missing_authentication(security: &SecuritySettings) {
    match security.peers {
        PeerAuthentication::Off if security.peer_secrets.is_none() => tracing::warn!(
            "everyone who reaches this node's port can act as a member of its group and announce \
             services: set internal-communication.shared-secret-file or \
             cluster.shared-secret-file, and keep the port inside your network"
        ),
        PeerAuthentication::Off => tracing::warn!(
            "everyone who reaches this node's port can act as a member of its group, because \
             cluster.peer-authentication is off"
        ),
        PeerAuthentication::Permissive => tracing::warn!(
            "everyone who reaches this node's port can act as a member of its group that has not \
             proved the shared secret yet, because cluster.peer-authentication is permissive"
        ),
        PeerAuthentication::Require | PeerAuthentication::Certificate => {}
    }
    match (security.peers, security.engines) {
        (PeerAuthentication::Off, EngineAuthentication::Off) => {}
        (_, EngineAuthentication::Off) => tracing::warn!(
            "everyone who reaches this node's port can announce services: set \
             internal-communication.shared-secret-file to the secret of the engines, and \
             discovery.announcement.authentication"
        ),
        (_, EngineAuthentication::Verify) => tracing::warn!(
            "everyone who reaches this node's port can announce services without a token, because \
             discovery.announcement.authentication is verify"
        ),
        (_, EngineAuthentication::Require) => {}
    }
}

/// Writes to the audit log which proofs this node demands, at its start.
pub(super) fn audit_start(security: &SecuritySettings) {
    let peers = match security.peers {
        PeerAuthentication::Off => "off",
        PeerAuthentication::Permissive => "permissive",
        PeerAuthentication::Require => "require",
        PeerAuthentication::Certificate => "certificate",
    };
    let engines = match security.engines {
        EngineAuthentication::Off => "off",
        EngineAuthentication::Verify => "verify",
        EngineAuthentication::Require => "require",
    };
    let reads = if security.reads_need_proof {
        "require"
    } else {
        "off"
    };
    let tokens = security
        .tokens
        .as_ref()
        .map_or(0, |file| file.tokens.count());
    tracing::info!(
        target: AUDIT_TARGET,
        peers,
        announcements = engines,
        reads,
        tokens,
        "{START}"
    );
}

/// Returns the proof that peers give and demand, and keeps its keys up to date. `certificates` are
/// those of the stores of HTTPS, if there is a trust store.
///
/// # Errors
/// When the keys cannot be derived.
pub(super) fn peer_security(
    settings: &Settings,
    certificates: Option<watch::Receiver<Arc<PeerCertificates>>>,
) -> anyhow::Result<PeerSecurity> {
    let security = &settings.security;
    if security.peers == PeerAuthentication::Certificate {
        let certificates = certificates.context("certificates of peers need a trust store")?;
        return Ok(PeerSecurity::Certificates(certificates));
    }
    let (accepts_plain, secrets) = match (security.peers, &security.peer_secrets) {
        (PeerAuthentication::Permissive, Some(secrets)) => (true, secrets),
        (PeerAuthentication::Require, Some(secrets)) => (false, secrets),
        _ => return Ok(PeerSecurity::Off),
    };
    let environment = settings.environment.clone();
    Ok(PeerSecurity::Keys {
        keys: keys(secrets, "peers", move |list| {
            Ok(PeerKeys::derive(list, &environment)?)
        })?,
        accepts_plain,
    })
}

/// Returns the proof that engines give, and keeps its keys up to date.
///
/// # Errors
/// When the keys cannot be derived.
pub(super) fn engine_security(settings: &Settings) -> anyhow::Result<EngineSecurity> {
    let security = &settings.security;
    let (is_required, secrets) = match (security.engines, &security.engine_secrets) {
        (EngineAuthentication::Verify, Some(secrets)) => (false, secrets),
        (EngineAuthentication::Require, Some(secrets)) => (true, secrets),
        _ => return Ok(EngineSecurity::Off),
    };
    let environment = settings.environment.clone();
    Ok(EngineSecurity::Tokens {
        keys: keys(secrets, "engines", move |list| {
            Ok(EngineKeys::derive(list, &environment))
        })?,
        is_required,
        trusted_addresses: security.trusted_addresses.clone(),
    })
}

/// Returns the tokens of people and tools, and keeps them up to date. Returns `None` without a file
/// of tokens.
pub(super) fn access_tokens(settings: &Settings) -> Option<watch::Receiver<Arc<AccessTokens>>> {
    let TokensFile { tokens, path } = settings.security.tokens.clone()?;
    let (sender, accepted) = watch::channel(Arc::new(tokens.clone()));
    let reload = FileReload {
        path,
        interval: RELOAD_INTERVAL,
        read: |path: &Path| Ok(read_tokens(path)?),
        derive: |tokens: &AccessTokens| Ok(Arc::new(tokens.clone())),
        changed: |tokens: &AccessTokens| {
            format!("the tokens have changed; {} accepted", tokens.count())
        },
        unchanged: "the last tokens stay valid",
    };
    tokio::spawn(reload.run(tokens, sender));
    Some(accepted)
}

/// Derives keys from secrets, and derives new keys when the file of the secrets changes. In log
/// messages, `of` names the owner of the secrets.
fn keys<K: Send + Sync + 'static>(
    secrets: &SharedSecrets,
    of: &'static str,
    derive: impl Fn(&SecretList) -> anyhow::Result<K> + Send + Sync + 'static,
) -> anyhow::Result<watch::Receiver<Arc<K>>> {
    let derived = derive(&secrets.list).context("the keys of a shared secret cannot be derived")?;
    let (sender, keys) = watch::channel(Arc::new(derived));
    if let Some(path) = secrets.file.clone() {
        let reload = FileReload {
            path,
            interval: RELOAD_INTERVAL,
            read: |path: &Path| Ok(read_secrets(path)?),
            derive: move |list: &SecretList| derive(list).map(Arc::new),
            changed: move |list: &SecretList| {
                let count = list.iter().count();
                format!("the shared secrets of the {of} have changed; {count} accepted")
            },
            unchanged: "the last secrets stay valid",
        };
        tokio::spawn(reload.run(secrets.list.clone(), sender));
    }
    Ok(keys)
}
