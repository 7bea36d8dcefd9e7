//! What is done to the cluster, and when.

use crate::rng::Chance;
use crate::world::Order;
use std::time::Duration;

/// What may be done to the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No message passes between these hosts and the others.
    Split(Vec<usize>),
    /// No message passes from one host to another.
    Cut(usize, usize),
    /// No message of a host reaches anyone.
    Mute(usize),
    /// No message reaches a host.
    Deafen(usize),
    /// Messages between two hosts take this long.
    Slow(usize, usize, Duration),
    /// All links are well again.
    Heal,
    /// The process is killed; the system keeps what it wrote.
    Kill(usize),
    /// The power of a host is cut.
    CutPower(usize),
    /// The power of all hosts is cut.
    CutAllPower,
    /// The process is killed and its disk emptied.
    Empty(usize),
    /// A host that is down starts.
    Start(usize),
    /// All hosts that are down start.
    StartAll,
    /// An order to a node.
    Order(usize, Order),
}

/// How a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// Whether its process runs.
    pub up: bool,
}

/// Draws the next fault.
pub fn draw(chance: &mut Chance, hosts: &[Condition], may_empty: bool) -> Fault {
    let host = chance.below(hosts.len());
    let other = (host + 1 + chance.below(hosts.len() - 1)) % hosts.len();
    let down: Vec<usize> = (0..hosts.len()).filter(|host| !hosts[*host].up).collect();
    if down.len() * 2 > hosts.len() && chance.one_in(2) {
        return Fault::StartAll;
    }
    match chance.below(100) {
        0..14 => Fault::Split(some_of(chance, hosts.len())),
        14..21 => Fault::Cut(host, other),
        21..25 => Fault::Mute(host),
        25..29 => Fault::Deafen(host),
        29..33 => Fault::Slow(host, other, chance.between_ms(20, 300)),
        33..47 => Fault::Heal,
        47..53 => Fault::Kill(host),
        53..61 => Fault::CutPower(host),
        61..63 => Fault::CutAllPower,
        63..67 if may_empty => Fault::Empty(host),
        63..78 => match chance.pick(&down) {
            Some(down) => Fault::Start(*down),
            None => Fault::Heal,
        },
        78..82 => Fault::Order(host, Order::Snapshot),
        82..91 => Fault::Order(host, Order::Purge),
        91..94 => Fault::Order(host, Order::Elect),
        94..98 => Fault::Order(host, Order::Transfer),
        _ => Fault::Order(host, Order::Stop),
    }
}

/// At least one host, and not all.
fn some_of(chance: &mut Chance, hosts: usize) -> Vec<usize> {
    loop {
        let some: Vec<usize> = (0..hosts).filter(|_| chance.one_in(2)).collect();
        if !some.is_empty() && some.len() < hosts {
            return some;
        }
    }
}
