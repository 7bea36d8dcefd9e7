//! The arguments that all measurements except `run` have in common, and their result files.

use crate::machine::Machine;
use anyhow::Context;
use serde::Serialize;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// The arguments that these measurements have in common: the program to measure, the
/// directories for data and results, and the date and commit of the run.
#[derive(Debug, clap::Args)]
pub struct Occasion {
    /// Release build of quorate to measure.
    #[arg(long)]
    pub quorate: PathBuf,
    /// Directory for the data of the nodes; must be on a disk.
    #[arg(long)]
    work: PathBuf,
    /// Directory for the results.
    #[arg(long)]
    results: PathBuf,
    /// Date of the run, for the results.
    #[arg(long)]
    pub date: String,
    /// Commit that is measured, for the results.
    #[arg(long)]
    pub commit: String,
}

/// Results with their date, commit and machine, as they are written to the JSON file.
#[derive(Serialize)]
struct Dated<'a, T> {
    date: &'a str,
    commit: &'a str,
    machine: Machine,
    #[serde(flatten)]
    results: &'a T,
}

impl Occasion {
    /// Creates a directory for the data of a cluster. It is deleted when the returned value is
    /// dropped.
    ///
    /// # Errors
    /// Fails if the directory cannot be created.
    pub fn dir(&self) -> anyhow::Result<TempDir> {
        TempDir::new_in(&self.work).context("a temporary directory")
    }

    /// Writes results with every raw number as a JSON file, and returns its path.
    ///
    /// # Errors
    /// Fails if the directory cannot be written.
    pub fn write_raw(&self, name: &str, results: &impl Serialize) -> anyhow::Result<PathBuf> {
        let raw = Dated {
            date: &self.date,
            commit: &self.commit,
            machine: Machine::this(),
            results,
        };
        self.write(name, "json", &(serde_json::to_string_pretty(&raw)? + "\n"))
    }

    /// Writes a text file to the directory for results, and returns the path.
    ///
    /// # Errors
    /// Fails if the directory cannot be written.
    pub fn write(&self, name: &str, extension: &str, text: &str) -> anyhow::Result<PathBuf> {
        let file = format!("{name}-{}-{}.{extension}", self.date, self.commit);
        let path = self.results.join(file);
        fs::create_dir_all(&self.results).with_context(|| path.display().to_string())?;
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(path)
    }
}
