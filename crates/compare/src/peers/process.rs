//! A process of a cluster, and its log.

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// Maximum number of bytes of a log that an error message shows.
const SHOWN_BYTES: usize = 2_000;

/// A running process. It is killed when it is dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a process in its own directory.
    ///
    /// # Errors
    /// Fails if the process cannot be started.
    pub fn start(command: &mut Command, dir: &Path) -> anyhow::Result<Process> {
        fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        let log = dir.join("log");
        // The log is opened for appending, because the end of the earlier log is worth keeping if
        // the process is started again.
        let file = File::options().create(true).append(true).open(&log);
        let file = file.with_context(|| log.display().to_string())?;
        let child = command
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{:?}", command.as_std().get_program()))?;
        Ok(Process { child, log })
    }

    /// Returns the process id, or 0 if the process has ended.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Sends SIGKILL to the process.
    ///
    /// # Errors
    /// Fails if the process has already ended.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.start_kill()?)
    }

    /// Sends SIGTERM to the process.
    ///
    /// # Errors
    /// Fails if the process has already ended.
    pub fn terminate(&self) -> anyhow::Result<()> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id as i32));
        Ok(kill_process(
            pid.context("the process has already ended")?,
            Signal::TERM,
        )?)
    }

    /// Waits until the process has ended.
    ///
    /// # Errors
    /// Fails if the operating system reports an error.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        self.child.wait().await?;
        Ok(())
    }

    /// Checks that the process is running.
    ///
    /// # Errors
    /// Fails with the exit status and the end of the log if the process has ended.
    pub fn check_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("a node ended: {status}: {}", self.last_words()),
        }
    }

    /// Returns the end of the log.
    pub fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let from = text.len().saturating_sub(SHOWN_BYTES);
        String::from_utf8_lossy(&text[from..]).into_owned()
    }
}

/// Returns different ports on loopback that no process listens on.
///
/// # Errors
/// Fails if there are not enough free ports.
pub fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let mut ports = BTreeSet::new();
    let mut held = Vec::new();
    while ports.len() < count {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        ports.insert(listener.local_addr()?.port());
        // The listener is kept open until all ports are found, so that the system does not return a
        // port twice.
        held.push(listener);
    }
    Ok(ports.into_iter().collect())
}
