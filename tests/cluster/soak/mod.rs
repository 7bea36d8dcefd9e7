//! The long run, `scripts/soak MINUTES`. It consists of segments of seven minutes, each with a new
//! cluster, and a report over all of them.
//!
//! The results of a finished segment are kept, so that an interrupted run can be resumed.

mod liveness;
mod report;
mod resources;
mod segment;

use report::Report;
use segment::{Make, Segment};
use std::fs;
use std::path::{Path, PathBuf};

/// Duration of a segment. The faults last six minutes. The start, the quiet time and the evaluation
/// take up to one minute more.
const SEGMENT_MINUTES: u64 = 7;
const FAULTS_MINUTES: u64 = 6;
/// Number of nodes of the cluster in each segment, in rotation. Three of five segments have three
/// nodes.
const NODES: [usize; 5] = [3, 5, 3, 5, 3];
/// `discovery.max-age` of the cluster in each segment, in rotation.
const MAX_AGES_S: [u64; 2] = [3, 30];

/// All guarantees of docs/TESTING.md hold under faults, for as many minutes as the environment
/// asks.
#[test]
#[ignore = "minutes to hours; scripts/soak runs it"]
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no configuration but its environment"
)]
fn soak() {
    let minutes = std::env::var("QUORATE_SOAK_MINUTES").expect("scripts/soak says how long");
    let minutes: u64 = minutes.parse().expect("minutes are a whole number");
    let dir = std::env::var_os("QUORATE_SOAK_DIR").expect("scripts/soak says where");
    let dir = PathBuf::from(dir);
    fs::create_dir_all(&dir).expect("its directory can be made");
    let mut segments = Vec::new();
    for make in makes(minutes) {
        let path = dir.join(format!("segment-{}.json", make.number));
        let segment = match done(&path, make) {
            Some(segment) => segment,
            None => run(make, &dir, &path),
        };
        segments.push(segment);
        let report = Report::of(&segments, minutes);
        fs::write(dir.join("report.md"), report.to_string()).expect("its directory can be written");
    }
    let report = Report::of(&segments, minutes);
    println!("{report}");
    assert!(report.passed(), "the soak did not pass");
}

/// Returns the parameters of the segments of a run that takes this many minutes.
fn makes(minutes: u64) -> Vec<Make> {
    let count = (minutes / SEGMENT_MINUTES).max(1);
    (0..count)
        .map(|number| Make {
            number,
            nodes: NODES[number as usize % NODES.len()],
            max_age_s: MAX_AGES_S[number as usize % MAX_AGES_S.len()],
            lasts_s: 60 * minutes.min(FAULTS_MINUTES),
        })
        .collect()
}

/// Returns the results of a segment that an earlier run has finished, or `None`. A failed segment
/// counts as finished and is not repeated.
fn done(path: &Path, make: Make) -> Option<Segment> {
    let text = fs::read(path).ok()?;
    let segment: Segment = serde_json::from_slice(&text).expect("a segment of this build");
    assert_eq!(
        segment.make.lasts_s,
        make.lasts_s,
        "{} is of a run of another length",
        path.display()
    );
    Some(segment)
}

/// Runs a segment and stores its results.
fn run(make: Make, dir: &Path, path: &Path) -> Segment {
    println!("{make:?}");
    let segment = segment::run(make, dir);
    let text = serde_json::to_vec(&segment).expect("a segment is JSON");
    fs::write(path, text).expect("its directory can be written");
    println!("{}", report::line(&segment));
    segment
}
