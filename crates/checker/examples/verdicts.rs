//! Random histories with verdicts, for comparison with another checker.
//!
//! Some of the histories are correct, some are broken.
//!
//! Usage: `verdicts SEED CASES FILE`. Writes one case per line to FILE, and prints one verdict per
//! line: `NUMBER ok|illegal|undecided`.

use quorate_checker::groups::check_groups;
use quorate_checker::history::Operation;
use quorate_checker::simulated::{MAX_AGE_NS, PlanShape, SimulatedBug, garble, max_age, simulate};
use serde::Serialize;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};

/// Maximum number of calls of the `give_up` closure for one case. The search makes 1,024 steps
/// between two calls, so one case may take about five million steps.
const MAX_QUESTIONS: u64 = 5_000;

#[derive(Serialize)]
struct Case {
    case: u64,
    max_age_ns: u64,
    operations: Vec<Operation>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [seed, cases, file] = &arguments[..] else {
        return Err("usage: verdicts SEED CASES FILE".into());
    };
    let (seed, cases): (u64, u64) = (seed.parse()?, cases.parse()?);
    let mut file = BufWriter::new(File::create(file)?);
    for case in 0..cases {
        let operations = draw(seed.wrapping_mul(cases).wrapping_add(case), case);
        let mut questions = 0;
        let report = check_groups(&operations, max_age(), &mut || {
            questions += 1;
            questions > MAX_QUESTIONS
        });
        let is_undecided = report
            .broken
            .iter()
            .any(|group| group.explanation.is_none());
        let verdict = match (report.is_linearizable(), is_undecided) {
            (true, _) => "ok",
            (false, false) => "illegal",
            (false, true) => "undecided",
        };
        println!("{case} {verdict}");
        let case = Case {
            case,
            max_age_ns: MAX_AGE_NS,
            operations,
        };
        serde_json::to_writer(&mut file, &case)?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    Ok(())
}

/// Draws the history of a case. Of every four cases, two are correct, one comes from a registry
/// with a bug, and one is garbled.
fn draw(seed: u64, case: u64) -> Vec<Operation> {
    let shape = PlanShape {
        clients: 3 + (case % 6) as u32,
        nodes: 2 + case % 5,
        groups: 1 + case % 2,
        operations: 40 + (case % 7) as usize * 10,
        write_percent: 30 + case % 30,
        unknown_percent: 10,
        abandons: case.is_multiple_of(3),
        is_wide: false,
    };
    let bug =
        (case % 4 == 1).then(|| SimulatedBug::ALL[(case / 4) as usize % SimulatedBug::ALL.len()]);
    let mut operations = simulate(seed, &shape, bug).history;
    if case % 4 == 3 {
        garble(seed, &mut operations);
    }
    for operation in &mut operations {
        // Arrival times are removed, since porcupine cannot express an order between concurrent
        // calls.
        operation.arrived_ns = None;
    }
    operations
}
