//! The TLS settings of HTTPS, which are made again when a store changes.

use super::file_reload::FileReload;
use crate::config::{HttpsFiles, StoreBytes};
use anyhow::Context;
use rustls::ServerConfig;
use std::path::Path;
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
) -> anyhow::Result<watch::Receiver<Arc<ServerConfig>>> {
    let first = files.clone();
    let made = tokio::task::spawn_blocking(move || {
        let stores = first.read_stores()?;
        let config = first.server_config(&stores)?;
        anyhow::Ok((stores, config))
    });
    let (stores, config) = made
        .await
        .context("HTTPS cannot be set up")?
        .map_err(|error| anyhow::anyhow!("HTTPS cannot be set up: {error}"))?;
    let (sender, configs) = watch::channel(config);
    let (reading, making) = (files.clone(), files.clone());
    let reload = FileReload {
        path: files.key_store.path.clone(),
        interval: Duration::from_millis(files.refresh_ms) / READS_PER_REFRESH,
        read: move |_: &Path| Ok(reading.read_stores()?),
        derive: move |stores: &StoreBytes| Ok(making.server_config(stores)?),
        changed: |_: &StoreBytes| "the certificate of HTTPS has changed".to_owned(),
        unchanged: "the last certificate stays valid",
    };
    tokio::spawn(reload.run(stores, sender));
    Ok(configs)
}
