//! What quorate alone is measured on, and where what came of it is written.

use crate::machine::Machine;
use anyhow::Context;
use serde::Serialize;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// The program, the places, and of what the results speak.
#[derive(Debug, clap::Args)]
pub struct Occasion {
    /// The quorate to measure, built for release.
    #[arg(long)]
    pub quorate: PathBuf,
    /// Where the nodes keep their data, on a disk.
    #[arg(long)]
    work: PathBuf,
    /// Where the results are written.
    #[arg(long)]
    results: PathBuf,
    /// Of the run.
    #[arg(long)]
    pub date: String,
    /// What is measured.
    #[arg(long)]
    pub commit: String,
}

/// What came of it, with when and where that was.
#[derive(Serialize)]
struct Dated<'a, T> {
    date: &'a str,
    commit: &'a str,
    machine: Machine,
    #[serde(flatten)]
    results: &'a T,
}

impl Occasion {
    /// A directory for the data of a cluster; it goes with this.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn dir(&self) -> anyhow::Result<TempDir> {
        TempDir::new_in(&self.work).context("a temporary directory")
    }

    /// Writes every raw number, and gives the path.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn write_raw(&self, name: &str, results: &impl Serialize) -> anyhow::Result<PathBuf> {
        let raw = Dated {
            date: &self.date,
            commit: &self.commit,
            machine: Machine::this(),
            results,
        };
        self.write(name, "json", &(serde_json::to_string_pretty(&raw)? + "\n"))
    }

    /// Writes a text beside it, and gives the path.
    ///
    /// # Errors
    /// As for [`Occasion::write_raw`].
    pub fn write(&self, name: &str, extension: &str, text: &str) -> anyhow::Result<PathBuf> {
        let file = format!("{name}-{}-{}.{extension}", self.date, self.commit);
        let path = self.results.join(file);
        fs::create_dir_all(&self.results).with_context(|| path.display().to_string())?;
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(path)
    }
}
