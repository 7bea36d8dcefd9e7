//! The kinds of fault.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What can happen to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    KillLeader,
    KillFollower,
    /// As many as leave no majority, the leader among them.
    KillMajority,
    KillAll,
    /// SIGTERM, one node after the other, each back before the next.
    StopEachInTurn,
    FreezeLeader,
    FreezeFollower,
    FreezeAll,
    /// The leader, and with five nodes one follower, reach nobody else.
    PartLeaderWithMinority,
    /// The leader and a majority reach none of the rest.
    PartLeaderWithMajority,
    /// What others ask of the leader is lost.
    DeafLeader,
    /// What the leader asks of others is lost.
    DumbLeader,
    /// Two halves that only one node between them reaches; no half has a majority without it.
    Bridge,
    /// Each node reaches only the one before it and the one after it.
    Chain,
    /// Three of ten transmissions on every link come a retransmission late, or several.
    LossyLinks,
    /// Everything on every link takes 150 to 250 ms.
    SlowLinks,
    /// Every sync takes 500 ms longer.
    SlowDisk,
    /// A sync or a write fails once.
    FailingDisk,
    /// No write finds space.
    FullDisk,
    /// Killed, and of what was not synced any part is gone.
    PowerCut,
    /// All at once.
    PowerCutAll,
    /// Killed, and the end of the last write is not there.
    TornWrite,
    /// Killed, and a bit of its log is wrong.
    FlippedBit,
    /// Killed, and its data directory is gone.
    EmptiedDisk,
    /// A wall clock is an hour ahead, or behind.
    WrongClock,
    /// A process gets a tenth of its time.
    Throttled,
}

/// What a fault takes from the service, as far as the promises go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// A majority with working links remains: writes go on within two seconds.
    Minority,
    /// Everything works, slower.
    Slows,
    /// Nothing can be promised but the answers: 503, or nothing from who is not there.
    Outage,
}

impl Kind {
    /// All of them.
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

    /// Whether it needs to know who leads.
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

    /// Whether a disk loses what it had synced, so that no other may before this one is whole again.
    pub fn destroys(self) -> bool {
        matches!(self, Kind::FlippedBit | Kind::EmptiedDisk)
    }

    /// Whether the links are what it strikes.
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

    /// What it takes from the service.
    pub fn harm(self) -> Harm {
        match self {
            Kind::KillMajority | Kind::KillAll | Kind::FreezeAll | Kind::PowerCutAll => {
                Harm::Outage
            }
            // Links on which a leader cannot be deposed, or half of the nodes cannot hear it.
            Kind::Bridge | Kind::Chain => Harm::Outage,
            Kind::LossyLinks | Kind::SlowLinks | Kind::SlowDisk | Kind::Throttled => Harm::Slows,
            Kind::WrongClock => Harm::Slows,
            _ => Harm::Minority,
        }
    }
}

/// As its name in words.
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
