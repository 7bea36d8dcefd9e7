//! A cluster whose members reach each other through proxies, one for each direction of each pair.

use super::cluster::Cluster;
use super::proxy::{Pace, Proxy};

/// The links of a cluster, by who dials whom. Clients go to the nodes themselves.
pub struct Mesh {
    links: Vec<Vec<Option<Proxy>>>,
}

impl Mesh {
    /// Puts the proxies into the links of a cluster that has formed, and starts it again: a group is founded only by nodes whose
    /// inventories agree.
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

    /// What `from` asks of `to` is lost, in both directions of their connections, and nobody is told.
    pub fn lose(&self, from: usize, to: usize) {
        if let Some(link) = &self.links[from][to] {
            link.lose();
        }
    }

    /// The connections of this link are closed; new ones are forwarded.
    pub fn break_off(&self, from: usize, to: usize) {
        if let Some(link) = &self.links[from][to] {
            link.break_off();
        }
    }

    /// How much was lost on all links so far.
    pub fn lost_bytes(&self) -> u64 {
        self.links
            .iter()
            .flatten()
            .flatten()
            .map(Proxy::lost_bytes)
            .sum()
    }

    /// This link works again. What was lost stays lost.
    pub fn mend(&self, from: usize, to: usize) {
        if let Some(link) = &self.links[from][to] {
            link.heal();
        }
    }

    /// From now on this link forwards like that.
    pub fn set_pace(&self, from: usize, to: usize, pace: Pace) {
        if let Some(link) = &self.links[from][to] {
            link.set_pace(pace);
        }
    }

    /// How many pieces were held back on all links so far.
    pub fn held_back(&self) -> u64 {
        self.links
            .iter()
            .flatten()
            .flatten()
            .map(Proxy::held_back)
            .sum()
    }
}
