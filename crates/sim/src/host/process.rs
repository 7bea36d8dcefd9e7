//! One node's process.

use super::clients;
use crate::host::disk::Paced;
use crate::network::{PORT, SimNetwork, address_of, name_of};
use crate::settings::Planted;
use crate::world::{NodeOrder, SimWorld, now};
use quorate::clock::PauseDetector;
use quorate::raft::{Node, Options, PeerProof, PeerSecurity};
use quorate::storage::{BlockingExecutor, SimDisk, Store};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use turmoil::net::TcpListener;

/// Time after which a requested snapshot is assumed to be on disk.
const SNAPSHOT_TAKES: Duration = Duration::from_millis(200);
/// Time between two polls for orders.
const ORDERS_INTERVAL: Duration = Duration::from_millis(20);

/// Runs the process of a host until it is killed.
pub async fn run(world: Arc<SimWorld>, host: usize) -> turmoil::Result {
    let process = {
        let mut slot = world.slot(host);
        slot.process += 1;
        slot.ended = None;
        slot.stopped = false;
        slot.orders.clear();
        slot.process
    };
    if let Err(reason) = serve(&world, host, process).await {
        world.say(now(), format_args!("{host} ended: {reason}"));
        let mut slot = world.slot(host);
        slot.node = None;
        slot.ended = Some(reason);
    }
    std::future::pending().await
}

/// Runs the node of a host, with its listener and its clients. Returns the reason once the node has
/// failed or could not be started.
async fn serve(world: &Arc<SimWorld>, host: usize, process: u64) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let settings = &world.settings;
    let device = world.devices[host].clone();
    let chance = world.chance(&format!("disk {host} {process}"));
    let pace = Arc::new(Paced::new(device.clone(), settings.slowest_disk_ms, chance));
    let work = BlockingExecutor::Tasks(pace.clone());
    let store = Store::open_with(device.vfs(), Path::new("/data/raft"), work)
        .map_err(|error| text(&error))?;
    let opened = pace.position();
    tokio::time::sleep(pace.delay()).await;
    pace.rely_on(opened);

    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT))
        .await
        .map_err(|error| text(&error))?;
    let pause_detector = PauseDetector::start_simulated();
    let options = Options {
        node_id: name_of(host),
        environment: "sim".to_owned(),
        address: address_of(host),
        bind: None,
        security: PeerSecurity::Off,
        dial: Some(Arc::new(SimNetwork)),
        inventory: Some(world.inventory.clone()),
        max_age: match settings.planted {
            Planted::ShortAge if host == 0 => settings.max_age / 3,
            _ => settings.max_age,
        },
        recovery_gap: Duration::from_secs(5),
        recovery_grace: settings.max_age,
        log_limits: settings.log_limits,
        auto_rejoin: true,
        heartbeat: Duration::from_millis(100),
        election: (Duration::from_millis(300), Duration::from_millis(500)),
        store,
        pause_detector: pause_detector.clone(),
    };
    let node = Node::start(options).await.map_err(|error| text(&error))?;
    world.slot(host).node = Some(node.clone());
    let serving = node.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (node, epoch) = (serving.clone(), pause_detector.epoch());
            tokio::spawn(async move { node.serve_peer(stream, PeerProof::Plain, epoch).await });
        }
    });
    tokio::spawn(take_orders(world.clone(), host, node.clone()));
    clients::start(world, host, process, &node);
    Err(node.fatal().await.to_string())
}

/// Executes the orders to the node of a host.
async fn take_orders(world: Arc<SimWorld>, host: usize, node: Node) {
    loop {
        tokio::time::sleep(ORDERS_INTERVAL).await;
        let orders = std::mem::take(&mut world.slot(host).orders);
        for order in orders {
            match order {
                NodeOrder::Snapshot => node.make_snapshot().await,
                NodeOrder::Purge => {
                    node.make_snapshot().await;
                    tokio::time::sleep(SNAPSHOT_TAKES).await;
                    node.purge().await;
                }
                NodeOrder::Elect => node.elect().await,
                NodeOrder::Transfer => node.transfer().await,
                NodeOrder::Stop => {
                    node.transfer_leadership().await;
                    node.stop().await;
                    world.slot(host).stopped = true;
                    return;
                }
            }
        }
    }
}
