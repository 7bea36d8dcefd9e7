//! The TLS settings of HTTPS, which are made again when a store changes.

use super::file_reload::FileReload;
use super::own_address::interface_addresses;
use crate::clock;
use crate::config::{CertificateOwner, HttpsFiles, KeySource, StoreBytes};
use anyhow::Context;
use rustls::ServerConfig;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Number of times that a store is read within `http-server.https.ssl-context.refresh-time`. A
/// change counts once it is read twice, so it is used within that time.
const READS_PER_REFRESH: u32 = 3;

/// Makes the TLS settings, and keeps them up to date.
///
/// # Errors
/// When a store cannot be used.
pub(super) async fn https_config(
    files: &HttpsFiles,
    environment: &str,
) -> anyhow::Result<watch::Receiver<Arc<ServerConfig>>> {
    let (first, environment) = (files.clone(), environment.to_owned());
    let make = move |stores: &StoreBytes| {
        let node = CertificateOwner {
            environment: environment.clone(),
            addresses: interface_addresses(),
            now_ms: clock::wall_ms(),
        };
        first.server_config(stores, &node)
    };
    let reading = files.clone();
    let made = tokio::task::spawn_blocking(move || {
        let stores = reading.read_stores()?;
        let config = make(&stores)?;
        anyhow::Ok((stores, config, make))
    });
    let (stores, config, make) = made
        .await
        .context("HTTPS cannot be set up")?
        .context("HTTPS cannot be set up")?;
    let (sender, configs) = watch::channel(config);
    let path = match (&files.key_source, &files.trust_store) {
        (KeySource::Store(store), _) => store.path.clone(),
        (KeySource::Automatic(_), Some(store)) => store.path.clone(),
        (KeySource::Automatic(_), None) => PathBuf::new(),
    };
    let reading = files.clone();
    let reload = FileReload {
        path,
        interval: Duration::from_millis(files.refresh_ms) / READS_PER_REFRESH,
        read: move |_: &Path| Ok(reading.read_stores()?),
        derive: move |stores: &StoreBytes| Ok(make(stores)?),
        changed: |_: &StoreBytes| "the certificate of HTTPS has changed".to_owned(),
        unchanged: "the last certificate stays valid",
    };
    tokio::spawn(reload.run(stores, sender));
    Ok(configs)
}
