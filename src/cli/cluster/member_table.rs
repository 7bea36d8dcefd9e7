//! The table of members that `quorate cluster` shows.

use crate::cli::client::output::push_table;
use quorate::raft::{MemberReport, Status};

/// Appends a table of the members as one server sees them.
pub(super) fn push_members(text: &mut String, status: &Status) {
    let titles = [
        "NODE",
        "ROLE",
        "ADDRESS",
        "REACHABLE",
        "LAG",
        "VERSION",
        "UP",
        "DISK FREE",
        "CLOCK",
    ];
    let mut rows = vec![titles.map(str::to_owned)];
    for member in &status.members {
        let role = if status.leader.as_ref() == Some(&member.node) {
            "leader"
        } else {
            &member.role
        };
        let reachable = if member.reachable { "yes" } else { "NO" };
        rows.push([
            member.node.clone(),
            role.to_owned(),
            member.address.clone(),
            reachable.to_owned(),
            member.lag.to_string(),
            or_dash(member.report.version.clone()),
            or_dash(member.report.uptime_s.map(duration_text)),
            or_dash(disk_text(&member.report)),
            or_dash(member.report.clock_ahead_ms.map(clock_text)),
        ]);
    }
    push_table(text, &rows);
}

/// Returns the text of a cell; a dash stands for an unknown value.
fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// Formats a duration in its largest unit of which it has at least two.
fn duration_text(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Formats a size in megabytes, or in gigabytes from 10 GB on. As in airlift, 1 GB is 1,024 MB.
fn size_text(bytes: u64) -> String {
    const TEN_GB: u64 = 10 << 30;
    match bytes {
        0..TEN_GB => format!("{}MB", bytes >> 20),
        _ => format!("{}GB", bytes >> 30),
    }
}

/// Formats the free space of a member's disk, and whether it is too little for writes.
fn disk_text(report: &MemberReport) -> Option<String> {
    let text = size_text(report.disk_free_bytes?);
    let is_low = report.disk_free_bytes < report.disk_floor_bytes;
    Some(if is_low { text + " LOW" } else { text })
}

/// Formats the difference of a clock from the one of the server that was asked, in tenths of a
/// second.
fn clock_text(ahead_ms: i64) -> String {
    let tenths = (ahead_ms as f64 / 100.0).round() as i64;
    let sign = if tenths < 0 { '-' } else { '+' };
    let tenths = tenths.unsigned_abs();
    format!("{sign}{}.{}s", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values are short. A value that is not known is a dash, and a full disk stands out.
    #[test]
    fn reports_of_members_are_short() {
        for (ahead_ms, text) in [
            (0, "+0.0s"),
            (-40, "+0.0s"),
            (-60, "-0.1s"),
            (61_049, "+61.0s"),
        ] {
            assert_eq!(clock_text(ahead_ms), text);
        }
        for (seconds, text) in [
            (119, "119s"),
            (7_199, "119m"),
            (172_799, "47h"),
            (172_800, "2d"),
        ] {
            assert_eq!(duration_text(seconds), text);
        }
        let full = MemberReport {
            disk_free_bytes: Some(50 << 20),
            disk_floor_bytes: Some(64 << 20),
            ..MemberReport::default()
        };
        assert_eq!(disk_text(&full).as_deref(), Some("50MB LOW"));
        assert_eq!(disk_text(&MemberReport::default()), None);
        assert_eq!(or_dash(None), "-");
    }
}
