//! A cluster whose members reach each other through proxies. Each direction of each pair has its
//! own proxy, a link.

use super::cluster::Cluster;
use super::proxy::{Pace, Proxy};

/// The links of a cluster, indexed by the dialling and then by the dialled node. Clients connect to
/// the nodes directly, not through links.
pub struct Mesh {
    links: Vec<Vec<Option<Proxy>>>,
}

impl Mesh {
    /// Puts a proxy into each link of a cluster that has formed, and restarts the cluster. The
    /// cluster must form first, because only nodes whose inventories agree can found a group. With
    /// proxies, the inventories do not agree: the inventory of each node lists different ports.
    pub fn between(cluster: &mut Cluster) -> Mesh {
        let count = cluster.nodes.len();
        let links: Vec<Vec<Option<Proxy>>> = (0..count)
            .map(|from| {
                (0..count)
                    .map(|to| (from != to).then(|| Proxy::start(cluster.nodes[to].address())))
                    .collect()
            })
            .collect();
        cluster.stop_all();
        for (node, links) in cluster.nodes.iter_mut().zip(&links) {
            for (entry, link) in node.etc.inventory.iter_mut().zip(links) {
                if let Some(link) = link {
                    entry.1 = link.port;
                }
            }
            node.etc.write();
        }
        cluster.start_all();
        cluster.wait_serving();
        Mesh { links }
    }

    /// Loses all data on the connections that `from` has opened to `to`, in both directions,
    /// without closing the connections.
    pub fn lose(&self, from: usize, to: usize) {
        if let Some(link) = &self.links[from][to] {
            link.lose();
        }
    }

    /// Closes the connections of the link. New connections are forwarded.
    pub fn break_off(&self, from: usize, to: usize) {
        if let Some(link) = &self.links[from][to] {
            link.break_off();
        }
    }

    /// Returns the number of bytes that were lost on all links so far.
    pub fn lost_bytes(&self) -> u64 {
        self.links
            .iter()
            .flatten()
            .flatten()
            .map(Proxy::lost_bytes)
            .sum()
    }

    /// Makes the link work again. Data that was lost stays lost.
    pub fn mend(&self, from: usize, to: usize) {
        if let Some(link) = &self.links[from][to] {
            link.heal();
        }
    }

    /// Sets how this link forwards from now on.
    pub fn set_pace(&self, from: usize, to: usize, pace: Pace) {
        if let Some(link) = &self.links[from][to] {
            link.set_pace(pace);
        }
    }

    /// Returns the number of pieces of data that were delayed on all links so far.
    pub fn held_back(&self) -> u64 {
        self.links
            .iter()
            .flatten()
            .flatten()
            .map(Proxy::held_back)
            .sum()
    }
}
