//! Compares the results of a soak with its requirements.

use super::segment::Segment;
use crate::support::faults::{Happened, Kind};
use quorate_checker::window::Summary;
use std::collections::BTreeMap;
use std::fmt;

/// Minimum figures of a run of [`FULL_MINUTES`]. The minimum figures of a shorter run are
/// proportional to its length.
const FULL_MINUTES: u64 = 120;
const FAULTS: usize = 1_800;
const OPERATIONS: usize = 2_500_000;
const EACH_KIND: usize = 40;
/// Minimum number of faults of each kind after which a node must fetch all data again.
const EACH_DESTROYING_KIND: usize = 20;
const LEADERS_LOST: usize = 150;
const SNAPSHOTS: usize = 60;
const WHOLE_RESTARTS: usize = 60;
const POWER_CUTS: usize = 60;
/// Minimum number of operations served per second during a fault of a minority.
const SERVED_PER_SECOND: usize = 400;
/// Divisor of the number of faults. At least a third of the faults must overlap another fault.
const OVERLAPPED_SHARE: usize = 3;

/// Maximum figures of a run of any length.
const GAP_P99_MS: u64 = 2_000;
const GAP_MAX_MS: u64 = 5_000;
const SERVES_P99_MS: u64 = 5_000;
const SERVES_MAX_MS: u64 = 15_000;
const REFUSED_MS: u64 = 2_000;
const RESIDENT_KB: u64 = 200_000;
const DESCRIPTORS: u64 = 1_000;
const DATA_BYTES: u64 = 200 << 20;

/// The figures of all segments of a run, each with its requirement.
pub struct Report<'a> {
    segments: &'a [Segment],
    lines: Vec<Line>,
    failures: Vec<String>,
}

/// A figure, its requirement, and whether the figure meets it.
struct Line {
    what: String,
    is: String,
    must_be: String,
    holds: bool,
}

impl<'a> Report<'a> {
    /// Evaluates the finished segments of a run that takes this many minutes.
    pub fn of(segments: &'a [Segment], minutes: u64) -> Report<'a> {
        let failures = segments.iter().flat_map(|segment| {
            let number = segment.make.number;
            let failures = segment.failures.iter();
            failures.map(move |failure| format!("segment {number}: {failure}"))
        });
        let mut report = Report {
            segments,
            lines: Vec::new(),
            failures: failures.collect(),
        };
        report.coverage(minutes.min(FULL_MINUTES));
        report.liveness();
        report.resources();
        report
    }

    /// Returns whether every figure meets its requirement and no segment has a failure.
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && self.lines.iter().all(|line| line.holds)
    }

    /// Checks that the run had enough faults, operations and recoveries.
    fn coverage(&mut self, minutes: u64) {
        let share = |full: usize| full * minutes as usize / FULL_MINUTES as usize;
        let faults: Vec<&Happened> = self.faults().collect();
        let of = |kinds: &[Kind]| faults.iter().filter(|f| kinds.contains(&f.kind)).count();
        let overlapped = faults.iter().filter(|fault| fault.overlapped).count();
        let sum = |of: fn(&Segment) -> usize| self.segments.iter().map(of).sum::<usize>();
        let lost = sum(|s| s.liveness.leaders_lost_under_writes);
        let served = sum(|s| s.liveness.served_in_minority_faults);
        let seconds = sum(|s| (s.liveness.minority_faults_ns / 1_000_000) as usize).max(1);
        let minima = [
            ("faults", faults.len(), share(FAULTS)),
            (
                "of them overlapping another",
                overlapped,
                faults.len() / OVERLAPPED_SHARE,
            ),
            (
                "operations judged",
                sum(|s| s.operations),
                share(OPERATIONS),
            ),
            (
                "operations a second while a minority is struck",
                served * 1_000 / seconds,
                SERVED_PER_SECOND,
            ),
            (
                "leaders lost with writes under way",
                lost,
                share(LEADERS_LOST),
            ),
            (
                "snapshots installed",
                sum(|s| s.snapshots_installed),
                share(SNAPSHOTS),
            ),
            (
                "restarts of the whole cluster",
                of(&[Kind::KillAll, Kind::PowerCutAll]),
                share(WHOLE_RESTARTS),
            ),
            (
                "power cuts",
                of(&[Kind::PowerCut, Kind::PowerCutAll, Kind::TornWrite]),
                share(POWER_CUTS),
            ),
        ];
        let mut lines: Vec<Line> = minima
            .map(|(what, is, least)| Line::at_least(what, is, least))
            .into();
        for kind in Kind::ALL {
            let least = match kind.destroys() {
                true => EACH_DESTROYING_KIND,
                false => EACH_KIND,
            };
            lines.push(Line::at_least(
                &format!("of kind: {kind}"),
                of(&[kind]),
                share(least),
            ));
        }
        self.lines.extend(lines);
    }

    /// Checks the interruptions of service.
    fn liveness(&mut self) {
        let times = |of: fn(&Segment) -> Vec<u64>| {
            let all = self.segments.iter().flat_map(of);
            Summary::of(all.map(|ns| ns / 1_000_000).collect())
        };
        let gaps = times(|s| s.liveness.write_gaps_ns.iter().map(|(_, ns)| *ns).collect());
        let serves = times(|s| {
            let bursts = s.bursts.iter();
            bursts
                .flat_map(|burst| burst.served_after_ns.clone())
                .collect()
        });
        let refused = times(|s| s.liveness.refused_after_ns.clone());
        self.lines.extend([
            Line::within(
                "writes stand still under a fault of a minority, ms",
                gaps,
                GAP_P99_MS,
                GAP_MAX_MS,
            ),
            Line::within(
                "a node serves after all is mended, ms",
                serves,
                SERVES_P99_MS,
                SERVES_MAX_MS,
            ),
            Line::within(
                "refused without a majority, ms",
                refused,
                REFUSED_MS,
                REFUSED_MS,
            ),
        ]);
    }

    /// Checks memory, descriptors and data sizes.
    fn resources(&mut self) {
        let most = |of: fn(&Segment) -> u64| self.segments.iter().map(of).max().unwrap_or(0);
        let lines = [
            (
                "memory of a node, kB",
                most(|s| s.resources.resident_kb),
                RESIDENT_KB,
            ),
            (
                "descriptors of a node",
                most(|s| s.resources.descriptors),
                DESCRIPTORS,
            ),
            (
                "data of a node, bytes",
                most(|s| s.resources.data_bytes),
                DATA_BYTES,
            ),
        ];
        let lines = lines.map(|(what, is, most)| Line {
            what: what.to_owned(),
            is: is.to_string(),
            must_be: format!("at most {most}"),
            holds: is <= most,
        });
        self.lines.extend(lines);
    }

    /// Returns the faults that had their intended effect.
    fn faults(&self) -> impl Iterator<Item = &'a Happened> {
        let bursts = self.segments.iter().flat_map(|segment| &segment.bursts);
        let faults = bursts.flat_map(|burst| &burst.faults);
        faults.filter(|fault| fault.has_struck)
    }

    /// Returns the write gaps by the kind of fault that caused them, in milliseconds.
    fn gaps_by_kind(&self) -> BTreeMap<Kind, Vec<u64>> {
        let mut by_kind: BTreeMap<Kind, Vec<u64>> = BTreeMap::new();
        for segment in self.segments {
            for (kind, gap_ns) in &segment.liveness.write_gaps_ns {
                by_kind.entry(*kind).or_default().push(gap_ns / 1_000_000);
            }
        }
        by_kind
    }
}

impl Line {
    fn at_least(what: &str, is: usize, least: usize) -> Line {
        Line {
            what: what.to_owned(),
            is: is.to_string(),
            must_be: format!("at least {least}"),
            holds: is >= least,
        }
    }

    fn within(what: &str, of: Option<Summary>, p99: u64, max: u64) -> Line {
        let is = of.map_or("not measured".to_owned(), |of| {
            format!(
                "of {}: median {}, p99 {}, at most {}",
                of.count, of.p50, of.p99, of.max
            )
        });
        Line {
            what: what.to_owned(),
            is,
            must_be: format!("p99 {p99}, at most {max}"),
            holds: of.is_some_and(|of| of.p99 <= p99 && of.max <= max),
        }
    }
}

/// Formats the results of one segment in a line.
pub fn line(segment: &Segment) -> String {
    let faults: usize = segment.bursts.iter().map(|burst| burst.faults.len()).sum();
    format!(
        "segment {}: {} nodes, max-age {} s: {faults} faults, {} operations, {} of unknown fate, \
         {} expiries, {} renewals of workers \
         seen by {} lookups, {} snapshots installed, \
         {} power cuts took {} sectors, {} wrong bits refused, the log is {}; {}",
        segment.make.number,
        segment.make.nodes,
        segment.make.max_age_s,
        segment.operations,
        segment.unknown,
        segment.expiries,
        segment.renewals,
        segment.worker_lookups,
        segment.snapshots_installed,
        segment.cuts_that_took,
        segment.sectors_taken,
        segment.flips_refused,
        match segment.is_log_complete {
            true => "complete",
            false => "cut off at its beginning",
        },
        match segment.failures.len() {
            0 => "nothing failed".to_owned(),
            failures => format!("{failures} FAILURES"),
        }
    )
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Soak\n")?;
        for segment in self.segments {
            writeln!(f, "- {}", line(segment))?;
        }
        writeln!(f, "\n| | is | must be | |\n|---|---|---|---|")?;
        for Line {
            what,
            is,
            must_be,
            holds,
        } in &self.lines
        {
            let holds = if *holds { "" } else { "**NO**" };
            writeln!(f, "| {what} | {is} | {must_be} | {holds} |")?;
        }
        writeln!(
            f,
            "\n| writes stand still, ms | times | median | p99 | at most |\n|---|---|---|---|---|"
        )?;
        for (kind, gaps) in self.gaps_by_kind() {
            if let Some(of) = Summary::of(gaps) {
                writeln!(
                    f,
                    "| {kind} | {} | {} | {} | {} |",
                    of.count, of.p50, of.p99, of.max
                )?;
            }
        }
        writeln!(f)?;
        for failure in &self.failures {
            writeln!(f, "FAILED: {failure}")?;
        }
        let verdict = if self.passed() {
            "passed"
        } else {
            "did not pass"
        };
        writeln!(f, "Verdict: {verdict}.")
    }
}
