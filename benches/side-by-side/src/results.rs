//! What came of a run, and where it is written.

use crate::figures::{Figure, Measured, median};
use crate::goals::{Against, GOALS, Goal};
use crate::machine::Machine;
use crate::tasks::{Name, Task};
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
    /// The median of a figure over the repeats.
    pub fn median(&self, name: Name, task: &str, figure: Figure) -> Option<f64> {
        median(self.measured(name, task).map(|one| one.get(figure)))
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
            Against::Peer(peer) => Some(own / self.median(peer, goal.task, goal.figure)?),
        }
    }

    /// How many goals are met, missed, and not measured.
    pub fn tally(&self) -> (usize, usize, usize) {
        let mut tally = (0, 0, 0);
        for goal in GOALS {
            match self.of_goal(goal) {
                Some(value) if goal.bound.holds(value) => tally.0 += 1,
                Some(_) => tally.1 += 1,
                None => tally.2 += 1,
            }
        }
        tally
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
