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
const RELOAD_INTERVAL: Duration = Duration::from_secs(5);

/// Logs a warning if peers or engines need not prove their identity.
pub(super) fn warn_of_open_doors(security: &SecuritySettings) {
    match (security.peers, security.engines) {
        (PeerAuthentication::Off, _) => tracing::warn!(
            "everyone who reaches this node's port can act as a member of its group and announce \
             services: set internal-communication.shared-secret-file or \
             cluster.shared-secret-file, and keep the port inside your network"
        ),
        (_, EngineAuthentication::Off) => tracing::warn!(
            "everyone who reaches this node's port can announce services: set \
             internal-communication.shared-secret-file to the secret of the engines, and keep the \
             port inside your network"
        ),
        _ => {}
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

/// Derives keys from secrets, and derives new keys when the file of the secrets changes. `of` names
/// the owner of the secrets in the log.
fn keys<K: Send + Sync + 'static>(
    secrets: &SharedSecrets,
    of: &'static str,
    derive: impl Fn(&SecretList) -> anyhow::Result<K> + Send + 'static,
) -> anyhow::Result<watch::Receiver<Arc<K>>> {
    let derived = derive(&secrets.list).context("the keys of a shared secret cannot be derived")?;
    let (sender, keys) = watch::channel(Arc::new(derived));
    if let Some(path) = secrets.file.clone() {
        let reload = SecretsReload {
            path,
            of,
            current: secrets.list.clone(),
            derive,
            keys: sender,
        };
        tokio::spawn(reload.run());
    }
    Ok(keys)
}

/// The task that reads a file with secrets again.
struct SecretsReload<K, F> {
    path: PathBuf,
    of: &'static str,
    current: SecretList,
    derive: F,
    keys: watch::Sender<Arc<K>>,
}

impl<K, F: Fn(&SecretList) -> anyhow::Result<K>> SecretsReload<K, F> {
    /// Reads the file periodically, until its keys are not needed any more. While the file cannot
    /// be used, the last secrets stay valid, and the reason is logged once.
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

    /// Reads the file, and replaces the keys if its secrets have changed.
    async fn reload(&mut self) -> anyhow::Result<()> {
        let path = self.path.clone();
        let list = tokio::task::spawn_blocking(move || read_secrets(&path)).await??;
        if list == self.current {
            return Ok(());
        }
        self.keys.send_replace(Arc::new((self.derive)(&list)?));
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
