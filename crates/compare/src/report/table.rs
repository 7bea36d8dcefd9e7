//! Writes the report of a run in Markdown, with the table of medians.

use crate::measure::figures::Figure;
use crate::measure::tasks::{ALL, Name, Task};
use crate::report::goals::GOALS;
use crate::report::results::{GoalVerdict, Results};
use std::fmt::Write;

/// Returns the whole report: the machine and the measured servers, the table of medians and ratios,
/// and the goals.
pub fn of(results: &Results) -> String {
    let mut text = head(results);
    text += &medians(results);
    text += &goals(results);
    text
}

fn head(results: &Results) -> String {
    let machine = &results.machine;
    let mut text = format!(
        "# Side by side, {} at {}\n\n{}, {} processors, {} MB, Linux {}. \
         Three nodes of each server on loopback, the clients on the same machine; \
         medians of {} repeats of {} s, with the servers alternating for each load. \
         Clients count the bytes of a response; etcd's client decodes it into keys and values, \
         as its users must.\n\n`{}`\n\n",
        results.date,
        results.commit,
        machine.processor,
        machine.processors,
        machine.memory_mb,
        machine.kernel,
        results.repeats,
        results.seconds,
        results.command,
    );
    for (name, version) in &results.versions {
        let _ = writeln!(text, "- {name}: {version}");
    }
    for (name, why) in &results.missing {
        let _ = writeln!(text, "- {name}: not measured: {why}");
    }
    let (beside, of) = results.beside_others();
    if let Some((median_s, most_s)) = results.others_s() {
        let _ = writeln!(
            text,
            "\n{beside} of {of} loads began before the other servers were idle. \
             Beside quorate's loads of {} s, the other servers used {median_s:.2} s of processor \
             time in total (median), and at most {most_s:.2} s.",
            results.seconds
        );
    }
    text + "\n"
}

fn medians(results: &Results) -> String {
    let mut text = "| load | | quorate | airlift | etcd | baseline \
                    | quorate / airlift | quorate / etcd | quorate / baseline |\n\
                    |---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for task in &results.tasks {
        for (figure, label) in rows(task) {
            let _ = write!(text, "| {} | {label} |", task.name);
            for name in ALL {
                let _ = write!(text, " {} |", cell(results, *name, task, figure));
            }
            for peer in [Name::Airlift, Name::Etcd, Name::Baseline] {
                let own = results.median(Name::Quorate, task.name, figure);
                let other = results.median(peer, task.name, figure);
                let ratio = own.zip(other).filter(|(_, other)| *other > 0.0);
                let ratio =
                    ratio.map_or("".to_owned(), |(own, other)| format!("{:.2}", own / other));
                let _ = write!(text, " {ratio} |");
            }
            text.push('\n');
        }
    }
    text + "\n"
}

fn rows(task: &Task) -> Vec<(Figure, &'static str)> {
    let mut rows = vec![
        (Figure::P50, "p50, ms"),
        (Figure::P99, "p99, ms"),
        (Figure::Memory, "peak memory of a node, MB"),
        (Figure::Errors, "errors in total"),
    ];
    match task.rate {
        None => rows.insert(0, (Figure::Rate, "requests/s")),
        // At a given rate, the result is not requests/s but processor time, because all servers do
        // the same work at the same rate.
        Some(_) => rows.push((Figure::Processor, "processor time of the nodes, s")),
    }
    rows
}

fn cell(results: &Results, name: Name, task: &Task, figure: Figure) -> String {
    if !task.of.contains(&name) {
        return String::new();
    }
    let text = match results.median(name, task.name, figure) {
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) if value >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
        None if results.missing.contains_key(&name) => return "not measured".to_owned(),
        None => return "failed".to_owned(),
    };
    match results.failed(name, task.name) {
        0 => text,
        failed => format!("{text} ({failed} of {} failed)", results.repeats),
    }
}

fn goals(results: &Results) -> String {
    let mut text = "| goal | bound | value | |\n|---|---|---|---|\n".to_owned();
    for goal in GOALS {
        let is = results.of_goal(goal);
        let is = is.map_or_else(String::new, |value| format!("{value:.2}"));
        let verdict = match results.verdict(goal) {
            GoalVerdict::Met => "met",
            GoalVerdict::Missed => "**missed**",
            GoalVerdict::NotMeasured => "not measured",
        };
        let _ = writeln!(text, "| {goal} | {} | {is} | {verdict} |", goal.bound);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::measure::figures::{Figures, Latency, Measured};
    use crate::measure::tasks::TASKS;
    use crate::report::results::{LoadOutcome, Measurement};
    use std::collections::BTreeMap;

    fn measured(rate: f64) -> Measurement {
        measured_with(rate, 0)
    }

    fn measured_with(rate: f64, errors: u64) -> Measurement {
        let latency_ms = Latency {
            p50: 1.0,
            p99: 2.0,
            p99_9: 3.0,
            max: 4.0,
        };
        Measurement::Measured(Measured {
            figures: Figures {
                served: 1,
                rate_per_second: rate,
                bytes_per_answer: 1,
                latency_ms,
                errors: BTreeMap::from([("503".to_owned(), errors)]),
                measured_from_ms: None,
            },
            processor_s: 1.0,
            others_s: 0.1,
            others_at_rest: true,
            memory_mb: 1.0,
        })
    }

    fn results(outcomes: Vec<LoadOutcome>) -> Results {
        Results {
            date: "2026-01-01".to_owned(),
            commit: "abc".to_owned(),
            machine: Machine::this(),
            command: "scripts/bench".to_owned(),
            seconds: 1,
            repeats: 3,
            versions: BTreeMap::new(),
            missing: BTreeMap::from([(Name::Etcd, "no Go".to_owned())]),
            tasks: TASKS.to_vec(),
            outcomes,
        }
    }

    fn outcome(repeat: u32, name: Name, came: Measurement) -> LoadOutcome {
        LoadOutcome {
            repeat,
            name,
            task: "lookup-100",
            came,
        }
    }

    /// A goal is missed if one repeat of its load failed, regardless of the other repeats. Errors
    /// are summed over the repeats, because a median would hide a single failure.
    #[test]
    fn a_failed_repeat_shows() {
        let outcomes = vec![
            outcome(1, Name::Quorate, measured(100.0)),
            outcome(2, Name::Quorate, Measurement::Failed("it ended".to_owned())),
            outcome(1, Name::Baseline, measured(100.0)),
            outcome(2, Name::Baseline, measured_with(100.0, 7)),
            outcome(3, Name::Baseline, measured(100.0)),
        ];
        let text = of(&results(outcomes));
        assert!(text.contains("| 100 (1 of 3 failed) |"), "{text}");
        let row = "| errors in total | 0.00 (1 of 3 failed) | failed | not measured | 7.00 |";
        assert!(text.contains(row), "{text}");
        assert!(
            text.contains("| lookup-100: rate / baseline's | at least 0.7 | 1.00 | **missed** |"),
            "{text}"
        );
    }

    /// The report counts the measured loads that began before the other servers were at rest.
    #[test]
    fn others_that_did_not_rest_are_told_of() {
        let mut restless = measured(100.0);
        if let Measurement::Measured(measured) = &mut restless {
            measured.others_at_rest = false;
        }
        let outcomes = vec![
            outcome(1, Name::Quorate, measured(100.0)),
            outcome(2, Name::Quorate, restless),
            outcome(1, Name::Baseline, measured(100.0)),
            outcome(
                2,
                Name::Baseline,
                Measurement::Failed("it ended".to_owned()),
            ),
        ];
        let text = of(&results(outcomes));
        assert!(
            text.contains("1 of 3 loads began before the other servers were idle."),
            "{text}"
        );
    }

    /// Ratios are ratios of medians. The report says which servers were not measured and why, and
    /// which loads failed.
    #[test]
    fn nobody_is_left_out_in_silence() {
        let mut outcomes = Vec::new();
        for (repeat, rate) in [(1, 10.0), (2, 80.0), (3, 90.0)] {
            outcomes.push(outcome(repeat, Name::Quorate, measured(rate)));
            outcomes.push(outcome(repeat, Name::Baseline, measured(100.0)));
        }
        outcomes.push(outcome(
            1,
            Name::Airlift,
            Measurement::Failed("it ended".to_owned()),
        ));
        let text = of(&results(outcomes));
        let row = "| lookup-100 | requests/s | 80.0 | failed | not measured | 100 |  |  | 0.80 |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("- etcd: not measured: no Go"), "{text}");
        assert!(
            text.contains("| lookup-100: rate / baseline's | at least 0.7 | 0.80 | met |"),
            "{text}"
        );
        assert!(
            text.contains("| lookup-100: rate / etcd's | at least 5 |  | not measured |"),
            "{text}"
        );
        assert_eq!(
            results(Vec::new()).count(GoalVerdict::NotMeasured),
            GOALS.len()
        );
    }
}
