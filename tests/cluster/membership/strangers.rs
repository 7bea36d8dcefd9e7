//! Tests of nodes of another cluster, and of data that is not a node's current data.

use crate::support::cluster::{FORM_LIMIT, members};
use crate::support::node::copy_dir;
use crate::support::{Cluster, Options, let_pass, until};
use std::fs;
use std::time::Duration;

/// A node with the addresses of another cluster neither joins that cluster nor changes anything
/// there. The node works again once its inventory is right.
#[test]
fn a_node_pointed_at_another_cluster_is_refused_there() {
    let home = Cluster::start(1, Options::default());
    home.nodes[0].announce_acked("home", "engine", 1);
    // The two clusters have a node.id in common, as with copied configurations.
    let mut stray = Cluster::start(2, Options::beside());
    stray.nodes[1].announce_acked("stray", "engine", 2);
    let right = stray.nodes[1].etc.inventory.clone();

    stray.nodes[1].stop();
    stray.nodes[1].etc.inventory[0].1 = home.nodes[0].etc.port;
    stray.nodes[1].etc.write();
    stray.nodes[1].start();
    until("the stray node answers", FORM_LIMIT, || {
        stray.nodes[1].status()
    });
    let refused = until(
        "the stray node refuses to serve",
        Duration::from_secs(10),
        || {
            stray.nodes[1]
                .get("/v1/service")
                .ok()
                .filter(|response| response.status == 503)
        },
    );
    println!("{}", refused.body);
    // The time is enough for many attempts of the stray node to join.
    let_pass(Duration::from_secs(2));
    let status = home.nodes[0].status().expect("a status");
    assert_eq!(members(&status), ["quorate-1"], "{status}");
    let seen = home.nodes[0]
        .tokens("home")
        .expect("the other cluster serves as before");
    assert_eq!(seen.get("engine"), Some(&1));
    assert!(home.nodes[0].tokens("stray").expect("it serves").is_empty());

    stray.nodes[1].stop();
    stray.nodes[1].etc.inventory = right;
    stray.nodes[1].etc.write();
    stray.nodes[1].start();
    stray.wait_serving();
    assert_eq!(
        stray.nodes[1]
            .tokens("stray")
            .expect("it serves")
            .get("engine"),
        Some(&2)
    );
}

/// A node with a data directory of another cluster is refused, even if the `node.id` matches. The
/// node exits or never serves, and reports the reason. The node's own group is not affected.
#[test]
fn a_data_directory_of_another_cluster_is_refused() {
    let mut other = Cluster::start(3, Options::default());
    other.nodes[0].announce_acked("foreign", "engine", 2);
    other.stop_all();
    let foreign = other.nodes[0].etc.data_dir();

    let mut cluster = Cluster::start(3, Options::beside());
    cluster.nodes[1].announce_acked("own", "engine", 1);
    cluster.nodes[0].stop();
    cluster.nodes[0].wipe();
    copy_dir(&foreign, &cluster.nodes[0].etc.data_dir());
    cluster.nodes[0].start();

    let reason = until("the foreign data is refused", FORM_LIMIT, || {
        if !cluster.nodes[0].is_alive() {
            return Some(cluster.nodes[0].log());
        }
        let response = cluster.nodes[0].get("/v1/service/own/general").ok()?;
        (response.status == 503 && response.body.contains("cluster")).then_some(response.body)
    });
    println!("{}", reason.lines().last().unwrap_or_default());
    for i in [1, 2] {
        let seen = cluster.nodes[i].tokens("own").expect("the two go on");
        assert_eq!(seen.get("engine"), Some(&1));
        assert!(
            cluster.nodes[i]
                .tokens("foreign")
                .expect("they serve")
                .is_empty()
        );
    }

    // The documented remedy works: once the directory is emptied, the node rejoins.
    cluster.nodes[0].kill9();
    fs::remove_dir_all(cluster.nodes[0].etc.data_dir()).expect("it can be removed");
    cluster.nodes[0].start();
    cluster.wait_ready();
}

/// A node whose data directory was restored from an old copy does not take part in its group. The
/// votes and acknowledgements that the node gave after the copy was made are lost. The node is
/// therefore refused with the reason. It rejoins once its directory is emptied.
#[test]
fn a_data_directory_put_back_from_a_copy_is_refused() {
    let mut cluster = Cluster::start(3, Options::default());
    let restored = cluster.others(cluster.leader())[0];
    let data = cluster.nodes[restored].etc.data_dir();
    let copy = cluster.dir().join("copy");
    cluster.nodes[restored].stop();
    copy_dir(&data, &copy);
    cluster.nodes[restored].start();
    cluster.wait_ready();
    for token in 1..=20 {
        cluster.nodes[restored].announce_acked("copied", "engine", token);
    }

    cluster.nodes[restored].stop();
    cluster.nodes[restored].wipe();
    copy_dir(&copy, &data);
    cluster.nodes[restored].start();
    let reason = until("the old copy is refused", FORM_LIMIT, || {
        if !cluster.nodes[restored].is_alive() {
            return Some(cluster.nodes[restored].log());
        }
        let ready = cluster.nodes[restored].get("/v1/cluster/ready").ok()?;
        (ready.status == 503 && ready.body.contains("empty")).then_some(ready.body)
    });
    println!("{}", reason.lines().last().unwrap_or_default());

    cluster.nodes[restored].kill9();
    cluster.nodes[restored].wipe();
    cluster.nodes[restored].start();
    cluster.wait_ready();
    assert_eq!(
        cluster.nodes[restored]
            .tokens("copied")
            .expect("it serves")
            .get("engine"),
        Some(&20)
    );
}
