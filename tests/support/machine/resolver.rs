//! A name server for real processes that a test controls. A small library intercepts the C
//! library's resolver.
//!
//! The library reports its answers, so that no test passes without a query.

use super::preloaded::preload;
use crate::support::cluster::Cluster;
use crate::support::etc::{self, inventory_of};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// The name server of a cluster's nodes.
pub struct Resolver {
    order: PathBuf,
    report: PathBuf,
}

impl Resolver {
    /// Replaces the addresses of the nodes by names, which this name server resolves. The cluster
    /// must not be running. At first all names resolve.
    pub fn of(cluster: &mut Cluster) -> Resolver {
        let resolver = Resolver {
            order: cluster.dir().join("resolver-order"),
            report: cluster.dir().join("resolver-report"),
        };
        for node in &mut cluster.nodes {
            preload(node, "resolver.c");
            for (name, path) in [
                ("RESOLVER_ORDER", &resolver.order),
                ("RESOLVER_REPORT", &resolver.report),
            ] {
                node.environment.push((name, path.clone().into_os_string()));
            }
            let inventory = named_inventory(&node.etc.inventory);
            let file = node.etc.etc_dir().join("service-inventory.json");
            etc::write(&file, &inventory.to_string());
        }
        resolver
    }

    /// Returns the name of a node.
    pub fn name_of(node_id: &str) -> String {
        format!("{node_id}.test")
    }

    /// Replaces the rules of the name server by these lines: `NAME ADDRESS`, `NAME fail`, `NAME
    /// hang` or `NAME slow MS`.
    pub fn order(&self, lines: &str) {
        // The file is replaced atomically, since the processes may read it at any time.
        let written = self.order.with_extension("new");
        fs::write(&written, format!("{lines}\n")).expect("a temporary directory");
        fs::rename(&written, &self.order).expect("a temporary directory");
    }

    /// Makes all names resolve again.
    pub fn mend(&self) {
        self.order("");
    }

    /// Returns the number of answers of this kind so far.
    pub fn count(&self, what: &str) -> usize {
        let text = fs::read_to_string(&self.report).unwrap_or_default();
        let of_kind = text
            .lines()
            .filter(|line| line.split(' ').next() == Some(what));
        of_kind.count()
    }
}

/// Returns the inventory with a name for each node.
fn named_inventory(nodes: &[(String, u16)]) -> Value {
    let mut inventory = inventory_of(nodes);
    for service in inventory["services"].as_array_mut().into_iter().flatten() {
        let node_id = service["nodeId"].as_str().unwrap_or_default().to_owned();
        let port = nodes.iter().find(|(id, _)| *id == node_id);
        let port = port.map_or(0, |(_, port)| *port);
        let address = format!("http://{}:{port}", Resolver::name_of(&node_id));
        service["properties"]["http"] = Value::String(address);
    }
    inventory
}
