//! The faults that are injected into the cluster, and their distribution.

use crate::rng::Chance;
use crate::world::NodeOrder;
use std::time::Duration;

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SimFault {
    /// Blocks all messages between these hosts and the others.
    Split(Vec<usize>),
    /// Blocks all messages from one host to another.
    Cut(usize, usize),
    /// Blocks all messages from a host.
    Mute(usize),
    /// Blocks all messages to a host.
    Deafen(usize),
    /// Delays messages between two hosts by up to this duration.
    Slow(usize, usize, Duration),
    /// Repairs all links.
    Heal,
    /// Kills the process of a host. The operating system keeps the data that the process wrote.
    Kill(usize),
    /// Cuts the power of a host.
    CutPower(usize),
    /// Cuts the power of all hosts.
    CutAllPower,
    /// Kills the process of a host, and empties the disk of the host.
    Empty(usize),
    /// Starts a host that is down.
    Start(usize),
    /// Starts all hosts that are down.
    StartAll,
    /// Sends an order to a node.
    Order(usize, NodeOrder),
}

/// The condition of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Whether the process of the host runs.
    pub up: bool,
}

/// Draws the next fault.
pub fn draw(chance: &mut Chance, hosts: &[Condition], may_empty: bool) -> SimFault {
    let host = chance.below(hosts.len());
    let other = (host + 1 + chance.below(hosts.len() - 1)) % hosts.len();
    let down: Vec<usize> = (0..hosts.len()).filter(|host| !hosts[*host].up).collect();
    if down.len() * 2 > hosts.len() && chance.one_in(2) {
        return SimFault::StartAll;
    }
    match chance.below(100) {
        0..14 => SimFault::Split(some_of(chance, hosts.len())),
        14..21 => SimFault::Cut(host, other),
        21..25 => SimFault::Mute(host),
        25..29 => SimFault::Deafen(host),
        29..33 => SimFault::Slow(host, other, chance.between_ms(20, 300)),
        33..47 => SimFault::Heal,
        47..53 => SimFault::Kill(host),
        53..61 => SimFault::CutPower(host),
        61..63 => SimFault::CutAllPower,
        63..67 if may_empty => SimFault::Empty(host),
        63..78 => match chance.pick(&down) {
            Some(down) => SimFault::Start(*down),
            None => SimFault::Heal,
        },
        78..82 => SimFault::Order(host, NodeOrder::Snapshot),
        82..91 => SimFault::Order(host, NodeOrder::Purge),
        91..94 => SimFault::Order(host, NodeOrder::Elect),
        94..98 => SimFault::Order(host, NodeOrder::Transfer),
        _ => SimFault::Order(host, NodeOrder::Stop),
    }
}

/// Draws a set of hosts: at least one host, but not all.
fn some_of(chance: &mut Chance, hosts: usize) -> Vec<usize> {
    loop {
        let some: Vec<usize> = (0..hosts).filter(|_| chance.one_in(2)).collect();
        if !some.is_empty() && some.len() < hosts {
            return some;
        }
    }
}
