//! Measures the time until a cluster shows all services again after all its nodes were killed at
//! once. Also checks that the cluster keeps the services.

use crate::measure::usage;
use crate::nodes::{Ending, Nodes};
use anyhow::{Context, bail, ensure};
use quorate::clock::now;
use serde::Serialize;
use std::time::Duration;

/// Timeout from the start of all processes until every node shows all services.
const RESTART_LIMIT: Duration = Duration::from_secs(60);
/// Time after the restart during which no service may be missing. It is slightly below the nodes'
/// max-age of 30 s. The time before the restart must not count towards max-age, because clients had
/// no chance to renew a service while the nodes were down. The last renewal of a service may
/// precede the kill by up to 8 s.
const KEPT_FOR: Duration = Duration::from_secs(28);
/// Timeout until services that are not renewed have expired.
const EXPIRY_LIMIT: Duration = Duration::from_secs(60);
/// Interval between two checks that all services are shown.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The results of one restart of all nodes.
#[derive(Debug, Serialize)]
pub struct Restart {
    /// Time from the start of all nodes until each shows all services, in seconds.
    pub shown_after_s: f64,
    /// Peak memory of the largest node since the restart, in megabytes.
    pub memory_mb: f64,
    /// Size of the data directory of the largest node before the restart, in megabytes.
    pub data_mb: f64,
}

/// Waits until all services of a type have expired.
///
/// # Errors
/// Fails if they have not expired within [`EXPIRY_LIMIT`].
pub async fn expiry(nodes: &Nodes, service_type: &str) -> anyhow::Result<()> {
    let none = nodes.each_shows(service_type, 0);
    let expired = tokio::time::timeout(EXPIRY_LIMIT, none).await;
    expired.context("services that are not renewed do not expire")
}

/// Kills all nodes, starts them again, and checks that they show and keep all services.
///
/// # Errors
/// Fails if a service is still missing after [`RESTART_LIMIT`], or disappears within [`KEPT_FOR`].
pub async fn measure(
    nodes: &mut Nodes,
    service_type: &str,
    services: u32,
) -> anyhow::Result<Restart> {
    for node in 0..nodes.count() {
        nodes.end(node, Ending::Killed)?;
    }
    nodes.all_ended().await?;
    let data_mb = nodes.largest_data_bytes()? as f64 / 1e6;
    let began = now();
    nodes.start_all()?;
    let shown = nodes.each_shows(service_type, services);
    if tokio::time::timeout(RESTART_LIMIT, shown).await.is_err() {
        bail!("not every node shows {services} services after a start");
    }
    let shown_after_s = now().duration_since(began).as_secs_f64();
    while now().duration_since(began) < KEPT_FOR {
        tokio::time::sleep(LOOK_INTERVAL).await;
        for node in 0..nodes.count() {
            let shown = nodes.shown(node, service_type).await?;
            ensure!(
                shown == services,
                "a node shows {shown} of {services} services, but none may have expired yet"
            );
        }
    }
    Ok(Restart {
        shown_after_s,
        memory_mb: usage::peak_memory_mb(&nodes.pids()),
        data_mb,
    })
}
