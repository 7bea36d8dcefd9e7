//! The TLS settings of HTTPS and of nodes with certificates, which are made again when a store
//! changes.

use super::file_reload::FileReload;
use super::own_address::interface_addresses;
use crate::clock;
use crate::config::{CertificateOwner, HttpsFiles, HttpsFilesError, KeySource, StoreBytes};
use crate::security::PeerCertificates;
use anyhow::Context;
use rustls::ServerConfig;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Number of times that a store is read within `http-server.https.ssl-context.refresh-time`. A
/// change counts once it is read twice, so it is used within that time.
const READS_PER_REFRESH: u32 = 3;

/// Number of days before its end from which a certificate is warned of.
const EXPIRY_WARNED_DAYS: i64 = 30;

const DAY: Duration = Duration::from_secs(86_400);

/// The TLS settings that are made of the stores.
pub(super) struct TlsSettings {
    /// For the clients of HTTPS.
    pub(super) clients: watch::Receiver<Arc<ServerConfig>>,
    /// For connections between nodes that prove by certificates who they are. `None` without a
    /// trust store.
    pub(super) peers: Option<watch::Receiver<Arc<PeerCertificates>>>,
}

/// Makes the TLS settings, and keeps them up to date.
///
/// # Errors
/// When a store cannot be used.
pub(super) async fn tls_settings(
    files: &HttpsFiles,
    environment: &str,
) -> anyhow::Result<TlsSettings> {
    let (making, environment) = (files.clone(), environment.to_owned());
    let expires_s = Arc::new(AtomicI64::new(i64::MAX));
    let expiry = expires_s.clone();
    let make = move |stores: &StoreBytes| {
        let node = CertificateOwner {
            environment: environment.clone(),
            addresses: interface_addresses(),
            now_ms: clock::wall_ms(),
        };
        let made = making.server_config(stores, &node)?;
        expiry.store(made.expires_s.unwrap_or(i64::MAX), Ordering::Relaxed);
        Ok::<_, HttpsFilesError>(made)
    };
    let reading = files.clone();
    let made = tokio::task::spawn_blocking(move || {
        let stores = reading.read_stores()?;
        let first = make(&stores)?;
        anyhow::Ok((stores, first, make))
    });
    let (stores, first, make) = made
        .await
        .context("HTTPS cannot be set up")?
        .context("HTTPS cannot be set up")?;
    let (sender, clients) = watch::channel(first.config);
    let (peer_sender, peers) = first.peers.map(watch::channel).unzip();
    let key_store = match &files.key_source {
        KeySource::Store(store) => Some(store),
        KeySource::Automatic(_) => None,
    };
    let stores_read = key_store.into_iter().chain(&files.trust_store);
    let names: Vec<_> = stores_read
        .map(|store| store.path.display().to_string())
        .collect();
    let reading = files.clone();
    let reload = FileReload {
        path: PathBuf::from(names.join(" and ")),
        interval: Duration::from_millis(files.refresh_ms) / READS_PER_REFRESH,
        read: move |_: &Path| Ok(reading.read_stores()?),
        derive: move |stores: &StoreBytes| {
            let made = make(stores)?;
            if let (Some(sender), Some(peers)) = (&peer_sender, made.peers) {
                sender.send_replace(peers);
            }
            Ok(made.config)
        },
        changed: |_: &StoreBytes| "the stores of HTTPS have changed".to_owned(),
        unchanged: "the last stores stay valid",
    };
    tokio::spawn(reload.run(stores, sender));
    tokio::spawn(warn_of_expiry(expires_s));
    Ok(TlsSettings { clients, peers })
}

/// Warns each day of a certificate that has expired or soon will. The node still serves it,
/// as airlift does.
async fn warn_of_expiry(expires_s: Arc<AtomicI64>) {
    loop {
        let now_s = i64::try_from(clock::wall_ms() / 1_000).unwrap_or(i64::MAX);
        if let Some(warning) = expiry_warning(expires_s.load(Ordering::Relaxed), now_s) {
            tracing::warn!("{warning}");
        }
        tokio::time::sleep(DAY).await;
    }
}

/// Returns the warning about a certificate that expires at a time in seconds since 1970, if one is
/// due.
fn expiry_warning(expires_s: i64, now_s: i64) -> Option<String> {
    let days = expires_s.saturating_sub(now_s) / DAY.as_secs() as i64;
    match (expires_s < now_s, days) {
        (true, days) => Some(format!(
            "the certificate of HTTPS expired {} days ago",
            days.unsigned_abs()
        )),
        (false, ..EXPIRY_WARNED_DAYS) => {
            Some(format!("the certificate of HTTPS expires in {days} days"))
        }
        (false, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The warnings begin 30 days before the end, and continue after it.
    #[test]
    fn a_certificate_is_warned_of_before_its_end() {
        const DAY_S: i64 = 86_400;
        let at = |days: i64| expiry_warning(100 * DAY_S, (100 - days) * DAY_S);
        assert_eq!(at(30), None);
        let soon = at(29).expect("a warning");
        assert_eq!(soon, "the certificate of HTTPS expires in 29 days");
        let over = at(-3).expect("a warning");
        assert_eq!(over, "the certificate of HTTPS expired 3 days ago");
        assert_eq!(expiry_warning(i64::MAX, 0), None);
    }
}
