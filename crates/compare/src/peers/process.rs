//! A process of a cluster, with its log.

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// So much of a log is shown of a process that does not serve.
const SHOWN_BYTES: usize = 2_000;

/// A running process; it is killed when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it, in a directory of its own.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command, dir: &Path) -> anyhow::Result<Process> {
        fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        let log = dir.join("log");
        // Appended to: the last words of one that is started again are worth keeping.
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

    /// Its id; 0 when it has ended.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Ends it at once.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.start_kill()?)
    }

    /// Tells it to end.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn terminate(&self) -> anyhow::Result<()> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id as i32));
        Ok(kill_process(pid.context("it has ended")?, Signal::TERM)?)
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        self.child.wait().await?;
        Ok(())
    }

    /// # Errors
    /// When it has ended, with its last words.
    pub fn check_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("a node ended: {status}: {}", self.last_words()),
        }
    }

    /// The end of what it wrote.
    pub fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let from = text.len().saturating_sub(SHOWN_BYTES);
        String::from_utf8_lossy(&text[from..]).into_owned()
    }
}

/// Ports on loopback that nothing listens on.
///
/// # Errors
/// When there are none.
pub fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let mut ports = BTreeSet::new();
    let mut held = Vec::new();
    while ports.len() < count {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        ports.insert(listener.local_addr()?.port());
        // Held until all are found, so that each is another.
        held.push(listener);
    }
    Ok(ports.into_iter().collect())
}
