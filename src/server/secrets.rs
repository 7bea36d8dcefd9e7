//! The keys of the shared secrets, which are read again while the server runs.

use crate::config::{
    EngineAuthentication, PeerAuthentication, SecuritySettings, Settings, SharedSecrets,
    read_secrets,
};
use crate::http::EngineSecurity;
use crate::raft::PeerSecurity;
use crate::security::{EngineKeys, PeerKeys, SecretList};
use anyhow::Context;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Time between two reads of a file with secrets.
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
        PeerAuthentication::Require => {}
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

/// Returns the proof that peers give and demand, and keeps its keys up to date.
///
/// # Errors
/// When the keys cannot be derived.
pub(super) fn peer_security(settings: &Settings) -> anyhow::Result<PeerSecurity> {
    let security = &settings.security;
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
        let reload = SecretsReload {
            path,
            of,
            current: secrets.list.clone(),
            last_read: secrets.list.clone(),
            derive: Arc::new(derive),
            keys: sender,
        };
        tokio::spawn(reload.run());
    }
    Ok(keys)
}

/// The task that reads a file with secrets every [`RELOAD_INTERVAL`].
struct SecretsReload<K, F> {
    path: PathBuf,
    of: &'static str,
    /// The secrets that are valid now.
    current: SecretList,
    /// The secrets that the file had when it was last read.
    last_read: SecretList,
    derive: Arc<F>,
    keys: watch::Sender<Arc<K>>,
}

impl<K, F> SecretsReload<K, F>
where
    K: Send + Sync + 'static,
    F: Fn(&SecretList) -> anyhow::Result<K> + Send + Sync + 'static,
{
    /// Reads the file every [`RELOAD_INTERVAL`] until the keys are not needed any more. While the
    /// file cannot be used, the last secrets stay valid, and the reason is logged once.
    async fn run(mut self) {
        let mut last_error = None;
        while !self.keys.is_closed() {
            tokio::time::sleep(RELOAD_INTERVAL).await;
            // Each error includes the text of its causes.
            let error = self.reload().await.err().map(|error| error.to_string());
            if error != last_error {
                if let Some(error) = &error {
                    let path = self.path.display();
                    tracing::warn!("{path}: {error}; the last secrets stay valid");
                }
                last_error = error;
            }
        }
    }

    /// Reads the file, and replaces the keys if its secrets have changed. A file that is just being
    /// written may lack its last secrets, so a change counts only once it is read twice in a row.
    async fn reload(&mut self) -> anyhow::Result<()> {
        let path = self.path.clone();
        let list = tokio::task::spawn_blocking(move || read_secrets(&path)).await??;
        let is_settled = list == self.last_read;
        self.last_read = list.clone();
        if list == self.current || !is_settled {
            return Ok(());
        }
        let (derive, secrets) = (self.derive.clone(), list.clone());
        let keys = tokio::task::spawn_blocking(move || derive(&secrets)).await??;
        self.keys.send_replace(Arc::new(keys));
        tracing::info!(
            "{}: the shared secrets of the {} have changed; {} accepted",
            self.path.display(),
            self.of,
            list.iter().count()
        );
        self.current = list;
        Ok(())
    }
}
