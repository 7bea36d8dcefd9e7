//! How soon a cluster shows everything again whose nodes were all killed at once, and whether it keeps it.

use crate::measure::usage;
use crate::nodes::{Ending, Nodes};
use anyhow::{Context, bail, ensure};
use quorate::clock::now;
use serde::Serialize;
use std::time::Duration;

/// From the start of all processes until each shows everything.
const RESTART_LIMIT: Duration = Duration::from_secs(60);
/// So long after the start nothing may be missing: clients had no chance to renew, and the nodes' max-age is 30 s. Some renewed last
/// 8 s before the end.
const KEPT_FOR: Duration = Duration::from_secs(28);
/// What is not renewed has expired by then.
const EXPIRY_LIMIT: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What came of a start.
#[derive(Debug, Serialize)]
pub struct Restart {
    /// From the start of all nodes until each shows all services.
    pub shown_after_s: f64,
    /// Of the largest node since then, at its peak.
    pub memory_mb: f64,
    /// The data of the largest node, in megabytes.
    pub data_mb: f64,
}

/// Waits until all have expired.
///
/// # Errors
/// When they do not.
pub async fn expiry(nodes: &Nodes, service_type: &str) -> anyhow::Result<()> {
    let none = nodes.each_shows(service_type, 0);
    let expired = tokio::time::timeout(EXPIRY_LIMIT, none).await;
    expired.context("services that nobody renews do not expire")
}

/// Kills all nodes, and starts them.
///
/// # Errors
/// When a service is missing, at once or before its time.
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
                "{shown} of {services} services are shown before their time is over"
            );
        }
    }
    Ok(Restart {
        shown_after_s,
        memory_mb: usage::peak_memory_mb(&nodes.pids()),
        data_mb,
    })
}
