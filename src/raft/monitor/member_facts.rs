//! Facts about members that only people read: release, uptime, disk space and wall clock.

use crate::clock::{self, Instant};
use crate::locks::lock;
use crate::model::shown;
use crate::raft::group::Group;
use crate::raft::transport::{MemberFacts, ReportedFacts};
use std::time::Duration;

/// Returns the facts about this node.
pub(crate) fn own(group: &Group) -> MemberFacts {
    let disk_space = *lock(&group.disk_space);
    MemberFacts {
        release: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_s: clock::now().duration_since(group.started).as_secs(),
        wall_ms: clock::wall_ms(),
        disk: disk_space.map(|space| (space.free_bytes, space.floor_bytes)),
    }
}

/// Returns the facts that a member reported in its answer to a request sent at `asked_at`.
///
/// The member read its clock at some time between the request and now. Half of that time is the
/// error of the comparison with the clock of this node. If the time exceeds `limit`, which only a
/// stalled process does, the clocks are not compared.
pub(crate) fn reported(facts: MemberFacts, asked_at: Instant, limit: Duration) -> ReportedFacts {
    let at = clock::now();
    let took = at.duration_since(asked_at);
    let half_ms = (took / 2).as_millis() as i64;
    let clock_ahead_ms =
        (took <= limit).then(|| ahead_ms(facts.wall_ms, clock::wall_ms()).saturating_add(half_ms));
    ReportedFacts {
        facts: MemberFacts {
            release: shown(&facts.release),
            ..facts
        },
        at,
        clock_ahead_ms,
    }
}

/// Returns the number of milliseconds by which `theirs` is ahead of `ours`. A peer can send any
/// number.
fn ahead_ms(theirs: u64, ours: u64) -> i64 {
    let signed = |ms| i64::try_from(ms).unwrap_or(i64::MAX);
    signed(theirs).saturating_sub(signed(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough that a stall of the test does not matter.
    const LIMIT: Duration = Duration::from_secs(60);
    const TOOK: Duration = Duration::from_secs(40);

    /// The clock of a member is compared with the middle of the exchange. A peer can neither
    /// overflow the comparison nor send a long or unprintable release.
    #[test]
    fn clocks_are_compared() {
        let facts = |wall_ms| MemberFacts {
            release: "1\n".repeat(100),
            uptime_s: 1,
            wall_ms,
            disk: None,
        };
        let report = |wall_ms, took| reported(facts(wall_ms), clock::now() - took, LIMIT);
        let ahead_ms = |wall_ms| report(wall_ms, TOOK).clock_ahead_ms.expect("in time");
        let same_ms = ahead_ms(clock::wall_ms());
        assert!((11_000..=21_000).contains(&same_ms), "{same_ms}");
        let behind_ms = ahead_ms(clock::wall_ms() - 60_000);
        assert!((-49_000..=-39_000).contains(&behind_ms), "{behind_ms}");
        assert!(ahead_ms(u64::MAX) > 0 && ahead_ms(0) < 0);
        let late = report(clock::wall_ms(), LIMIT + Duration::from_millis(1));
        assert_eq!(late.clock_ahead_ms, None);
        let release = late.facts.release;
        assert!(release.len() < 100 && !release.contains('\n'), "{release}");
    }
}
