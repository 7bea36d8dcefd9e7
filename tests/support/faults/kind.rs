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
    /// Sends SIGTERM to one node after the other; each must be back before the next.
    StopEachInTurn,
    FreezeLeader,
    FreezeFollower,
    FreezeAll,
    /// The leader, and with five nodes one follower, can reach no other node.
    PartLeaderWithMinority,
    /// The leader and a majority cannot reach the rest.
    PartLeaderWithMajority,
    /// Requests to the leader are lost.
    DeafLeader,
    /// Requests of the leader are lost.
    DumbLeader,
    /// Two halves connected by only one node; neither half has a majority without it.
    Bridge,
    /// Each node reaches only the previous and the next one.
    Chain,
    /// Three of ten transmissions on every link are delayed by one retransmission or more.
    LossyLinks,
    /// Every transmission on every link takes 150 to 250 ms.
    SlowLinks,
    /// Every sync takes 500 ms longer.
    SlowDisk,
    /// A sync or a write fails once.
    FailingDisk,
    /// Every write fails for lack of space.
    FullDisk,
    /// Kills a node; any part of its unsynced data is lost.
    PowerCut,
    /// Cuts the power of all nodes at once.
    PowerCutAll,
    /// Kills a node; the end of its last write is lost.
    TornWrite,
    /// Kills a node and flips a bit of its log.
    FlippedBit,
    /// Kills a node and removes its data directory.
    EmptiedDisk,
    /// Sets a wall clock an hour ahead, or behind.
    WrongClock,
    /// A process gets a tenth of its time.
    Throttled,
}

/// The effect of a fault on the service, as far as the guarantees go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// A majority with working links remains: writes continue within two seconds.
    Minority,
    /// Everything works, but slower.
    Slows,
    /// Only the form of the answers is guaranteed: 503, or no answer from a node that is down.
    Outage,
}

impl Kind {
    /// All kinds.
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

    /// Returns whether the fault needs a known leader.
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

    /// Returns whether a disk loses synced data, so that no other disk may before this one is whole
    /// again.
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

    /// Returns the effect on the service.
    pub fn harm(self) -> Harm {
        match self {
            Kind::KillMajority | Kind::KillAll | Kind::FreezeAll | Kind::PowerCutAll => {
                Harm::Outage
            }
            // With these links a leader cannot be deposed, or half of the nodes cannot hear it.
            Kind::Bridge | Kind::Chain => Harm::Outage,
            Kind::LossyLinks | Kind::SlowLinks | Kind::SlowDisk | Kind::Throttled => Harm::Slows,
            Kind::WrongClock => Harm::Slows,
            _ => Harm::Minority,
        }
    }
}

/// Displays the variant's name in words.
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
