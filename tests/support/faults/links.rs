//! Chooses the links that a fault affects.

use super::kind::Kind;
use crate::support::proxy::Pace;
use quorate_checker::random::Random;
use std::time::Duration;

/// A link for one direction: the node that dials, and the node that it dials.
pub type Link = (usize, usize);

/// The delay of a retransmission. It is the minimum retransmission timeout of Linux.
const RESENT: Duration = Duration::from_millis(200);

/// Returns the pace of the links under a fault that slows links, or `None` for a fault that cuts
/// links.
pub fn pace(kind: Kind) -> Option<Pace> {
    match kind {
        Kind::LossyLinks => Some(Pace::Lossy {
            percent: 30,
            resent: RESENT,
        }),
        Kind::SlowLinks => Some(Pace::Late {
            by: Duration::from_millis(150),
            jitter: Duration::from_millis(100),
        }),
        _ => None,
    }
}

/// Returns the nodes that a fault of links cuts off from a majority, and the links that it cuts.
pub fn cut(
    kind: Kind,
    nodes: usize,
    leader: usize,
    random: &mut Random,
) -> (Vec<usize>, Vec<Link>) {
    let mut others: Vec<usize> = (0..nodes).filter(|i| *i != leader).collect();
    shuffle(&mut others, random);
    let minority = (nodes - 1) / 2;
    match kind {
        Kind::DeafLeader => {
            let links = others.iter().map(|other| (*other, leader)).collect();
            (vec![leader], links)
        }
        Kind::DumbLeader => {
            let links = others.iter().map(|other| (leader, *other)).collect();
            (vec![leader], links)
        }
        Kind::PartLeaderWithMinority => {
            let (with, rest) = others.split_at(minority - 1);
            let side = [with, &[leader]].concat();
            (side.clone(), between(&side, rest))
        }
        Kind::PartLeaderWithMajority => {
            let (cut, rest) = others.split_at(minority);
            let side = [rest, &[leader]].concat();
            (cut.to_vec(), between(cut, &side))
        }
        Kind::Bridge => {
            // The leader is in one of the two halves. The node between the halves reaches all other
            // nodes.
            let (with, rest) = others.split_at(minority - 1);
            let side = [with, &[leader]].concat();
            (Vec::new(), between(&side, &rest[..minority]))
        }
        Kind::Chain => {
            // The leader is in the middle of the chain.
            let mut chain = others;
            chain.insert(minority, leader);
            let far = |a: usize, b: usize| a.abs_diff(b) > 1;
            let links = (0..nodes)
                .flat_map(|a| (0..nodes).map(move |b| (a, b)))
                .filter(|(a, b)| far(*a, *b))
                .map(|(a, b)| (chain[a], chain[b]))
                .collect();
            (Vec::new(), links)
        }
        _ => (Vec::new(), Vec::new()),
    }
}

/// Returns every link between two sets of nodes, in both directions.
fn between(some: &[usize], others: &[usize]) -> Vec<Link> {
    some.iter()
        .flat_map(|a| others.iter().flat_map(move |b| [(*a, *b), (*b, *a)]))
        .collect()
}

/// Shuffles the items at random.
pub fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for i in (1..items.len()).rev() {
        items.swap(i, random.below(i as u64 + 1) as usize);
    }
}
