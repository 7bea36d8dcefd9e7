//! What came of a run, and where it is written.

use crate::machine::Machine;
use crate::measure::figures::{Figure, Measured, median};
use crate::measure::tasks::{Length, Name, Task};
use crate::report::goals::{Against, GOALS, Goal};
use anyhow::Context;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A whole run, with every raw number.
#[derive(Debug, Serialize)]
pub struct Results {
    /// When it was.
    pub date: String,
    /// What was measured of quorate.
    pub commit: String,
    /// On what.
    pub machine: Machine,
    /// How it was asked for.
    pub command: String,
    /// How long a load of the usual length lasted.
    pub seconds: u64,
    /// How often each was measured.
    pub repeats: u32,
    /// Of those that were measured.
    pub versions: BTreeMap<Name, String>,
    /// Why others were not.
    pub missing: BTreeMap<Name, String>,
    /// What was measured.
    pub tasks: Vec<Task>,
    /// In order.
    pub outcomes: Vec<Outcome>,
}

/// One load on one of them.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Counted from 1.
    pub repeat: u32,
    /// Whose.
    pub name: Name,
    /// Which.
    pub task: &'static str,
    /// What came of it.
    pub came: Came,
}

/// What came of a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Met,
    Missed,
    NotMeasured,
}

/// What came of a load.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Came {
    /// It was measured.
    Measured(Measured),
    /// Why it was not.
    Failed(String),
}

impl Results {
    /// The median of a figure over the repeats; of errors all of them, and of memory the first, since it is the peak of a process that
    /// lives through all.
    pub fn median(&self, name: Name, task: &str, figure: Figure) -> Option<f64> {
        let values = self.measured(name, task).map(|one| one.get(figure));
        match figure {
            Figure::Errors => values.reduce(|sum, errors| sum + errors),
            Figure::Memory => values.into_iter().next(),
            _ => median(values),
        }
    }

    /// What those at rest beside a load of quorate took, the median of all loads of a length and the most, in seconds.
    pub fn others_s(&self) -> Option<(f64, f64)> {
        let usual = |one: &&Outcome| {
            let task = self.tasks.iter().find(|task| task.name == one.task);
            one.name == Name::Quorate && task.is_some_and(|task| task.length == Length::Usual)
        };
        let took = self.outcomes.iter().filter(usual);
        let took = took.filter_map(|one| match &one.came {
            Came::Measured(measured) => Some(measured.others_s),
            Came::Failed(_) => None,
        });
        let most = took.clone().fold(0.0, f64::max);
        Some((median(took)?, most))
    }

    /// How many loads began while others did not rest, and of how many that were measured.
    pub fn beside_others(&self) -> (usize, usize) {
        let rested = self.outcomes.iter().filter_map(|one| match &one.came {
            Came::Measured(measured) => Some(measured.others_at_rest),
            Came::Failed(_) => None,
        });
        let beside = rested.clone().filter(|at_rest| !at_rest);
        (beside.count(), rested.count())
    }

    /// How many repeats of one load on one of them failed.
    pub fn failed(&self, name: Name, task: &str) -> usize {
        let own = |one: &&Outcome| one.name == name && one.task == task;
        let failed = |one: &&Outcome| matches!(one.came, Came::Failed(_));
        self.outcomes.iter().filter(own).filter(failed).count()
    }

    /// The repeats of one load on one of them that were measured.
    fn measured<'a>(&'a self, name: Name, task: &'a str) -> impl Iterator<Item = &'a Measured> {
        self.outcomes
            .iter()
            .filter(move |one| one.name == name && one.task == task)
            .filter_map(|one| match &one.came {
                Came::Measured(measured) => Some(measured),
                Came::Failed(_) => None,
            })
    }

    /// What a goal is about; none when that was not measured.
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

    /// Whether a goal is met. A load on quorate that failed meets none.
    pub fn verdict(&self, goal: &Goal) -> Verdict {
        if self.failed(Name::Quorate, goal.task) > 0 {
            return Verdict::Missed;
        }
        match self.of_goal(goal) {
            Some(value) if goal.bound.holds(value) => Verdict::Met,
            Some(_) => Verdict::Missed,
            None => Verdict::NotMeasured,
        }
    }

    /// How many goals have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        let of = |goal: &&Goal| self.verdict(goal) == verdict;
        GOALS.iter().filter(of).count()
    }

    /// Writes the raw numbers, and the table beside them; gives the path of the table.
    ///
    /// # Errors
    /// When the directory cannot be written.
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
