//! The kinds of fault.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of fault of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    KillLeader,
    KillFollower,
    /// Kills the leader and enough others that no majority remains.
    KillMajority,
    KillAll,
    /// Stops all nodes one after the other with SIGTERM. Each node must serve again before the next
    /// node is stopped.
    StopEachInTurn,
    FreezeLeader,
    FreezeFollower,
    FreezeAll,
    /// Cuts links: the leader, and with five nodes one follower with it, can reach no other node.
    PartLeaderWithMinority,
    /// Cuts links: the leader and a majority cannot reach the other nodes.
    PartLeaderWithMajority,
    /// Loses all requests to the leader, which can still send its own.
    DeafLeader,
    /// Loses all requests of the leader, which still receives those of others.
    DumbLeader,
    /// Cuts links: two halves are connected by only one node. Neither half has a majority without
    /// this node.
    Bridge,
    /// Cuts links: the nodes are in a chain, in which each reaches only its neighbours.
    Chain,
    /// On every link, three of ten transmissions are delayed by one TCP retransmission or more.
    LossyLinks,
    /// On every link, each transmission takes 150 to 250 ms.
    SlowLinks,
    /// Every sync of one node takes 500 ms longer.
    SlowDisk,
    /// One sync or one write of a node fails.
    FailingDisk,
    /// Every write of one node fails for lack of space.
    FullDisk,
    /// Kills a node, and removes all or a random part of its unsynced data.
    PowerCut,
    /// Kills all nodes at once, and removes all or a random part of the unsynced data of each.
    PowerCutAll,
    /// Kills a node, and removes the end of its last write.
    TornWrite,
    /// Kills a node, and flips a bit of its log or database.
    FlippedBit,
    /// Kills a node and removes its data directory.
    EmptiedDisk,
    /// Sets the wall clock of one node an hour ahead, or behind.
    WrongClock,
    /// Lets the process of one node run for only a tenth of the time.
    Throttled,
}

/// The effect of a fault on the service, which determines the guarantees that hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// A majority with working links remains, so writes continue within two seconds.
    Minority,
    /// Everything works, but slower.
    Slows,
    /// Service may stop, but no answer is wrong. Nodes answer with 503, and nodes that are down do
    /// not answer.
    Outage,
}

impl Kind {
    /// All kinds of fault.
    pub const ALL: [Kind; 26] = [
        Kind::KillLeader,
        Kind::FreezeLeader,
        Kind::PartLeaderWithMinority,
        Kind::EmptiedDisk,
        Kind::KillMajority,
        Kind::DeafLeader,
        Kind::PowerCut,
        Kind::FreezeAll,
        Kind::WrongClock,
        Kind::DumbLeader,
        Kind::KillFollower,
        Kind::SlowDisk,
        Kind::Bridge,
        Kind::FlippedBit,
        Kind::FailingDisk,
        Kind::PartLeaderWithMajority,
        Kind::StopEachInTurn,
        Kind::LossyLinks,
        Kind::PowerCutAll,
        Kind::FreezeFollower,
        Kind::FullDisk,
        Kind::SlowLinks,
        Kind::TornWrite,
        Kind::Chain,
        Kind::Throttled,
        Kind::KillAll,
    ];

    /// Returns whether the fault affects the leader, and therefore needs to know it.
    pub fn names_leader(self) -> bool {
        !matches!(
            self,
            Kind::KillAll
                | Kind::StopEachInTurn
                | Kind::FreezeAll
                | Kind::LossyLinks
                | Kind::SlowLinks
                | Kind::PowerCut
                | Kind::PowerCutAll
                | Kind::TornWrite
                | Kind::WrongClock
                | Kind::Throttled
                | Kind::SlowDisk
        )
    }

    /// Returns whether the fault makes a disk lose synced data. No other disk may lose synced data
    /// until the affected node has caught up again, because the data must stay on a majority.
    pub fn destroys(self) -> bool {
        matches!(self, Kind::FlippedBit | Kind::EmptiedDisk)
    }

    /// Returns whether the fault affects links.
    pub fn is_of_links(self) -> bool {
        matches!(
            self,
            Kind::PartLeaderWithMinority
                | Kind::PartLeaderWithMajority
                | Kind::DeafLeader
                | Kind::DumbLeader
                | Kind::Bridge
                | Kind::Chain
                | Kind::LossyLinks
                | Kind::SlowLinks
        )
    }

    /// Returns the effect of the fault on the service.
    pub fn harm(self) -> Harm {
        match self {
            Kind::KillMajority | Kind::KillAll | Kind::FreezeAll | Kind::PowerCutAll => {
                Harm::Outage
            }
            // Half of the nodes may be unable to reach the leader, and over the remaining links
            // they cannot elect another leader either.
            Kind::Bridge | Kind::Chain => Harm::Outage,
            Kind::LossyLinks | Kind::SlowLinks | Kind::SlowDisk | Kind::Throttled => Harm::Slows,
            Kind::WrongClock => Harm::Slows,
            _ => Harm::Minority,
        }
    }
}

/// Displays the name of the variant in words.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("{self:?}");
        for (i, letter) in name.char_indices() {
            if letter.is_uppercase() && i > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{}", letter.to_lowercase())?;
        }
        Ok(())
    }
}
