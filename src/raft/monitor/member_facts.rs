//! Facts about members for people: release, uptime, disk space and wall clock. No decision of the
//! group depends on them.

use crate::clock::{self, Instant};
use crate::locks::lock;
use crate::model::shown;
use crate::raft::group::Group;
use crate::raft::transport::{MemberFacts, ReportedFacts};

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
/// error of the comparison with the clock of this node.
pub(crate) fn reported(facts: MemberFacts, asked_at: Instant) -> ReportedFacts {
    let at = clock::now();
    let half_ms = (at.duration_since(asked_at) / 2).as_millis() as i64;
    let clock_ahead_ms = ahead_ms(facts.wall_ms, clock::wall_ms()).saturating_add(half_ms);
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
    use std::time::Duration;

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
        let asked_at = clock::now() - Duration::from_secs(4);
        let ahead_ms = |wall_ms| reported(facts(wall_ms), asked_at).clock_ahead_ms;
        let same = ahead_ms(clock::wall_ms());
        assert!((1_900..2_100).contains(&same), "{same}");
        let behind = ahead_ms(clock::wall_ms() - 60_000);
        assert!((-58_100..-57_900).contains(&behind), "{behind}");
        assert!(ahead_ms(u64::MAX) > 0 && ahead_ms(0) < 0);
        let release = reported(facts(0), asked_at).facts.release;
        assert!(release.len() < 100 && !release.contains('\n'), "{release}");
    }
}
