//! The results of a run, and the files that they are written to.

use crate::machine::Machine;
use crate::measure::figures::{Figure, Measured, median};
use crate::measure::tasks::{Length, Name, Task};
use crate::report::goals::{Against, GOALS, Goal};
use anyhow::Context;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The results of a whole run, with every raw number.
#[derive(Debug, Serialize)]
pub struct Results {
    /// The date of the run.
    pub date: String,
    /// The commit of quorate that was measured.
    pub commit: String,
    /// The machine on which the run took place.
    pub machine: Machine,
    /// The command line of the run.
    pub command: String,
    /// Duration of a load of [`Length::Usual`], in seconds.
    pub seconds: u64,
    /// Number of times that each load was measured.
    pub repeats: u32,
    /// The version of each server that was measured.
    pub versions: BTreeMap<Name, String>,
    /// The servers that were not measured, each with the reason.
    pub missing: BTreeMap<Name, String>,
    /// The loads that were run.
    pub tasks: Vec<Task>,
    /// The outcome of each load on each server, in the order of the measurements.
    pub outcomes: Vec<LoadOutcome>,
}

/// The outcome of one load on one server.
#[derive(Debug, Serialize)]
pub struct LoadOutcome {
    /// The number of the repeat, counted from 1.
    pub repeat: u32,
    /// The server that was measured.
    pub name: Name,
    /// The name of the load.
    pub task: &'static str,
    /// The measurement, or the reason why it failed.
    pub came: Measurement,
}

/// The verdict on a goal: met, missed, or not measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoalVerdict {
    Met,
    Missed,
    NotMeasured,
}

/// The measurement of a load, or its failure.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Measurement {
    /// The load was measured.
    Measured(Measured),
    /// The load failed for this reason.
    Failed(String),
}

impl Results {
    /// Returns the median of a figure over the repeats of a load on a server, with two exceptions.
    /// Errors are summed. The memory is the value of the first repeat, because a process lives
    /// through all repeats and its peak never falls.
    pub fn median(&self, name: Name, task: &str, figure: Figure) -> Option<f64> {
        let values = self.measured(name, task).map(|one| one.get(figure));
        match figure {
            Figure::Errors => values.reduce(|sum, errors| sum + errors),
            Figure::Memory => values.into_iter().next(),
            _ => median(values),
        }
    }

    /// Returns the median and the maximum of the processor time, in seconds, that the other servers
    /// used during quorate's loads of [`Length::Usual`].
    pub fn others_s(&self) -> Option<(f64, f64)> {
        let usual = |one: &&LoadOutcome| {
            let task = self.tasks.iter().find(|task| task.name == one.task);
            one.name == Name::Quorate && task.is_some_and(|task| task.length == Length::Usual)
        };
        let took = self.outcomes.iter().filter(usual);
        let took = took.filter_map(|one| match &one.came {
            Measurement::Measured(measured) => Some(measured.others_s),
            Measurement::Failed(_) => None,
        });
        let most = took.clone().fold(0.0, f64::max);
        Some((median(took)?, most))
    }

    /// Returns two numbers: how many of the measured loads began before the other servers had come
    /// to rest, and how many loads were measured.
    pub fn beside_others(&self) -> (usize, usize) {
        let rested = self.outcomes.iter().filter_map(|one| match &one.came {
            Measurement::Measured(measured) => Some(measured.others_at_rest),
            Measurement::Failed(_) => None,
        });
        let beside = rested.clone().filter(|at_rest| !at_rest);
        (beside.count(), rested.count())
    }

    /// Returns the number of failed repeats of a load on a server.
    pub fn failed(&self, name: Name, task: &str) -> usize {
        let own = |one: &&LoadOutcome| one.name == name && one.task == task;
        let failed = |one: &&LoadOutcome| matches!(one.came, Measurement::Failed(_));
        self.outcomes.iter().filter(own).filter(failed).count()
    }

    /// Returns the measured repeats of a load on a server.
    fn measured<'a>(&'a self, name: Name, task: &'a str) -> impl Iterator<Item = &'a Measured> {
        self.outcomes
            .iter()
            .filter(move |one| one.name == name && one.task == task)
            .filter_map(|one| match &one.came {
                Measurement::Measured(measured) => Some(measured),
                Measurement::Failed(_) => None,
            })
    }

    /// Returns the value that a goal bounds: a ratio or a figure. Returns `None` if the value was
    /// not measured.
    pub fn of_goal(&self, goal: &Goal) -> Option<f64> {
        let own = self.median(Name::Quorate, goal.task, goal.figure)?;
        match goal.against {
            Against::Itself => Some(own),
            Against::Peer(peer) => {
                let other = self.median(peer, goal.task, goal.figure);
                other.filter(|other| *other > 0.0).map(|other| own / other)
            }
        }
    }

    /// Returns the verdict on a goal. If any repeat of its load failed on quorate, the goal is
    /// missed.
    pub fn verdict(&self, goal: &Goal) -> GoalVerdict {
        if self.failed(Name::Quorate, goal.task) > 0 {
            return GoalVerdict::Missed;
        }
        match self.of_goal(goal) {
            Some(value) if goal.bound.holds(value) => GoalVerdict::Met,
            Some(_) => GoalVerdict::Missed,
            None => GoalVerdict::NotMeasured,
        }
    }

    /// Returns the number of goals with this verdict.
    pub fn count(&self, verdict: GoalVerdict) -> usize {
        let of = |goal: &&Goal| self.verdict(goal) == verdict;
        GOALS.iter().filter(of).count()
    }

    /// Writes the raw numbers and the table, and returns the path of the table.
    ///
    /// # Errors
    /// Fails if the directory cannot be written.
    pub fn write(&self, dir: &Path, table: &str) -> anyhow::Result<PathBuf> {
        let name = format!("{}-{}", self.date, self.commit);
        fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        let raw = dir.join(&name).with_extension("json");
        fs::write(&raw, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| raw.display().to_string())?;
        let path = dir.join(&name).with_extension("md");
        fs::write(&path, table).with_context(|| path.display().to_string())?;
        Ok(path)
    }
}
