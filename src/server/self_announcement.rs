//! This node's own announcement, with a service of type `discovery`.

use super::listen::ListeningPorts;
use super::own_address::host_of;
use crate::clock;
use crate::config::Settings;
use crate::model::{Announcement, Service, random_uuid};
use crate::raft::Node;
use std::collections::BTreeMap;
use std::time::Duration;

/// Maximum time between two renewals: 8 s, as in Java clients. With a max-age below 32 s, this node
/// renews four times within the max-age.
const RENEW_INTERVAL_MAX: Duration = Duration::from_secs(8);
/// Minimum number of renewals within the max-age.
const RENEWALS_PER_MAX_AGE: u64 = 4;
/// Time between two attempts while the group does not accept the announcement.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);
/// Timeout of one announcement.
const WRITE_DEADLINE: Duration = Duration::from_millis(1_800);
/// Timeout of the withdrawal. It is short, because a node that stops must not wait for a group that
/// may have stopped too.
const WITHDRAW_DEADLINE: Duration = Duration::from_millis(500);

/// Returns this node's own announcement, in the form in which airlift's discovery server announces
/// itself. `ports` are the ports that this node listens on.
///
/// # Errors
/// Fails when the system has no randomness for the service's id, which Java clients read as a UUID.
pub(super) fn announcement(
    settings: &Settings,
    node_id: &str,
    address: &str,
    ports: ListeningPorts,
) -> std::io::Result<Announcement> {
    let external = |scheme: &str, port: u16, own: &str| match &settings.external_address {
        Some(host) => format!("{scheme}://{host}:{port}"),
        None => own.to_owned(),
    };
    let mut properties = BTreeMap::new();
    if let Some(port) = ports.http {
        properties.insert("http".to_owned(), address.to_owned());
        let external = external("http", port, address);
        properties.insert("http-external".to_owned(), external);
    }
    if let Some(port) = ports.https {
        let own = match (ports.http, host_of(address)) {
            (Some(_), Some(host)) => format!("https://{host}:{port}"),
            _ => address.to_owned(),
        };
        let external = external("https", port, &own);
        properties.insert("https".to_owned(), own);
        properties.insert("https-external".to_owned(), external);
    }
    Ok(Announcement {
        node_id: node_id.to_owned(),
        pool: settings.pool.clone(),
        location: settings
            .location
            .clone()
            .unwrap_or_else(|| format!("/{node_id}")),
        services: vec![Service {
            id: random_uuid()?,
            service_type: "discovery".to_owned(),
            properties,
        }]
        .into(),
    })
}

/// Announces this node and renews the announcement while the process runs.
pub(super) async fn keep_announced(node: Node, announcement: Announcement, max_age_ms: u64) {
    let interval = RENEW_INTERVAL_MAX.min(Duration::from_millis(max_age_ms / RENEWALS_PER_MAX_AGE));
    loop {
        let pause = match node
            .announce(announcement.clone(), clock::now() + WRITE_DEADLINE)
            .await
        {
            Ok(_) => interval,
            Err(_) => RETRY_INTERVAL,
        };
        tokio::time::sleep(pause).await;
    }
}

/// Withdraws this node's own announcement.
pub(super) async fn withdraw(node: &Node, node_id: &str) {
    if let Err(error) = node
        .withdraw(node_id.to_owned(), None, clock::now() + WITHDRAW_DEADLINE)
        .await
    {
        tracing::debug!(
            target: "quorate::server::own",
            "this node's own announcement is not withdrawn and expires after max-age: {error}"
        );
    }
}
