//! The commands `start`, `stop`, `restart`, `status` and `kill` of airlift's launcher, in the same
//! binary as the server.
//!
//! Messages and exit codes are those of airlift's Python launcher, with these differences:
//!
//! - `start` and `restart` read the configuration before they start or stop a server.
//! - `start` fails if the server ends within a second.
//! - `stop` signals the server once and waits for a limited time.
//! - `run` fails when the server is already running. A supervisor would take a successful exit for
//!   a clean stop.

mod error;
mod pid_file;

pub use error::LauncherError;
pub use pid_file::{Holder, PidFile};

use pid_file::POLL_INTERVAL;
use quorate::clock;
use quorate::config::{CommandLine, Paths};
use quorate::telemetry::Destination;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, setsid};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Maximum time that `stop` waits for the server to finish the requests in flight.
const STOP_TIME_LIMIT: Duration = Duration::from_secs(60);

/// Maximum time that `kill` waits. Only the kernel has work to do, but a process in an
/// uninterruptible write takes a while to end.
const KILL_TIME_LIMIT: Duration = Duration::from_secs(10);

/// Time for which `start` watches the server: long enough for a port in use or a damaged directory
/// to show, short enough for a person to wait.
const START_WATCH_TIME: Duration = Duration::from_secs(1);

/// Number of bytes at the end of the launcher's log that are searched for the reason of a failed
/// start.
const LOG_TAIL_BYTES: u64 = 4096;

/// The result of a command. `Display` writes the text that airlift's launcher prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LauncherOutcome {
    /// `status`: the server is running with this pid.
    Running(i32),
    /// `start`: the server was already running with this pid.
    AlreadyRunning(i32),
    /// `start`: the server was started with this pid.
    Started(i32),
    /// `stop`: the server with this pid was stopped.
    Stopped(i32),
    /// `kill`: the server with this pid was killed.
    Killed(i32),
    /// `status`, `stop`, `kill`: the server was not running when the command began.
    NotRunning,
}

impl std::fmt::Display for LauncherOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Running(pid) => write!(f, "Running as {pid}"),
            Self::AlreadyRunning(pid) => write!(f, "Already running as {pid}"),
            Self::Started(pid) => write!(f, "Started as {pid}"),
            Self::Stopped(pid) => write!(f, "Stopped {pid}"),
            Self::Killed(pid) => write!(f, "Killed {pid}"),
            Self::NotRunning => f.write_str("Not running"),
        }
    }
}

/// Returns whether the server is running. Creates no file.
///
/// # Errors
/// Fails when the pid file cannot be read.
pub fn status(paths: &Paths) -> anyhow::Result<LauncherOutcome> {
    Ok(
        running(paths)?.map_or(LauncherOutcome::NotRunning, |(_, pid)| {
            LauncherOutcome::Running(pid.as_raw_pid())
        }),
    )
}

/// Sends SIGTERM to the server and waits up to a minute for it to end.
///
/// # Errors
/// Fails when the server cannot be signalled, or is still running after that minute.
pub fn stop(paths: &Paths) -> anyhow::Result<LauncherOutcome> {
    let stopped = end(paths, Signal::TERM, STOP_TIME_LIMIT)?;
    Ok(stopped.map_or(LauncherOutcome::NotRunning, |pid| {
        LauncherOutcome::Stopped(pid.as_raw_pid())
    }))
}

/// Sends SIGKILL to the server and waits for it to end.
///
/// # Errors
/// Fails when the server cannot be killed.
pub fn kill(paths: &Paths) -> anyhow::Result<LauncherOutcome> {
    let killed = end(paths, Signal::KILL, KILL_TIME_LIMIT)?;
    Ok(killed.map_or(LauncherOutcome::NotRunning, |pid| {
        LauncherOutcome::Killed(pid.as_raw_pid())
    }))
}

/// Starts the server in its own session. The caller should validate the configuration first.
/// Otherwise, the server starts with an invalid configuration, and ends immediately.
///
/// # Errors
/// Fails when the server cannot be started, or ends within a second.
pub fn start(options: &CommandLine, paths: &Paths) -> anyhow::Result<LauncherOutcome> {
    let mut pid_file = PidFile::create(&paths.pid_file)?;
    if let Holder::Server(pid) = pid_file.holder()? {
        return Ok(LauncherOutcome::AlreadyRunning(pid.as_raw_pid()));
    }
    let log = open_launcher_log(paths)?;
    let log_start = log
        .metadata()
        .map_err(|error| LauncherError::file(&paths.launcher_log, error))?
        .len();
    make_data_dir(paths)?;
    // The space for the pid is reserved before the server is started. Otherwise, a full disk would
    // be noticed only after the start, and the server would have to be killed.
    pid_file.reserve()?;
    pid_file.bequeath()?;
    let mut child = spawn(options, paths, log)?;
    let started = pid_file
        .write_pid(child.id())
        .and_then(|()| watch(&mut child, &paths.launcher_log, log_start));
    if let Err(error) = started {
        abandon(child, &mut pid_file);
        return Err(error.into());
    }
    Ok(LauncherOutcome::Started(child.id() as i32))
}

/// Checks what [`start`] needs besides the configuration, before a running server is stopped for a
/// restart.
///
/// # Errors
/// Fails when the pid file, the launcher's log or the data directory cannot be used.
pub fn check(paths: &Paths) -> anyhow::Result<()> {
    PidFile::create(&paths.pid_file)?;
    open_launcher_log(paths)?;
    Ok(make_data_dir(paths)?)
}

/// Kills a server whose start failed, because no later command can find a process whose pid is not
/// in the pid file.
fn abandon(mut child: Child, pid_file: &mut PidFile) {
    // This fails only if the process has already ended.
    let _ended = child.kill();
    let _reaped = child.wait();
    // A stale pid does no harm, because the lock and not the content of the file tells whether a
    // server is running.
    let _stale = pid_file.clear();
}

/// Maximum time that a detached server waits for its launcher to record its pid.
const RECORD_TIME_LIMIT: Duration = Duration::from_secs(5);

/// Waits until the pid file names this process, which [`start`] has started. If the launcher was
/// killed before it wrote the pid, the file never names this process. In that case this process
/// must not run, because `stop` could not find it.
///
/// # Errors
/// Fails when the pid file does not name this process in time.
pub fn wait_recorded(paths: &Paths) -> anyhow::Result<()> {
    let deadline = clock::now() + RECORD_TIME_LIMIT;
    let own = std::process::id();
    loop {
        let recorded = PidFile::open(&paths.pid_file)?.and_then(|mut file| file.recorded());
        if recorded == Some(own) {
            return Ok(());
        }
        if clock::now() >= deadline {
            let error = LauncherError::PidFile {
                path: paths.pid_file.display().to_string(),
                what: format!("does not name this server ({own}), so `stop` could not find it"),
            };
            return Err(error.into());
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Detaches this process, which [`start`] has started, from the terminal.
///
/// # Errors
/// Returns the operating system's error.
pub fn detach() -> io::Result<()> {
    setsid().map(drop).map_err(io::Error::from)
}

/// Returns the server's pid file and pid if the server is running.
fn running(paths: &Paths) -> Result<Option<(PidFile, Pid)>, LauncherError> {
    let Some(mut pid_file) = PidFile::open(&paths.pid_file)? else {
        return Ok(None);
    };
    match pid_file.holder()? {
        Holder::Us => Ok(None),
        Holder::Server(pid) => Ok(Some((pid_file, pid))),
    }
}

/// Sends the signal to the server and waits for the server to end. Returns the pid, or `None` if
/// the server was not running.
fn end(paths: &Paths, signal: Signal, limit: Duration) -> Result<Option<Pid>, LauncherError> {
    let Some((mut pid_file, pid)) = running(paths)? else {
        return Ok(None);
    };
    match kill_process(pid, signal) {
        // `SRCH`: the server ended in the meantime.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => {
            return Err(LauncherError::Signal {
                pid: pid.as_raw_pid(),
                source: error.into(),
            });
        }
    }
    let deadline = clock::now() + limit;
    while !pid_file.try_lock()? {
        if clock::now() >= deadline {
            return Err(LauncherError::StillRunning {
                pid: pid.as_raw_pid(),
                seconds: limit.as_secs(),
            });
        }
        thread::sleep(POLL_INTERVAL);
    }
    pid_file.clear()?;
    Ok(Some(pid))
}

fn open_launcher_log(paths: &Paths) -> Result<File, LauncherError> {
    let path = &paths.launcher_log;
    Destination::of(path)
        .and_then(|destination| destination.open_for_output())
        .map_err(|error| LauncherError::file(path, error))
}

fn make_data_dir(paths: &Paths) -> Result<(), LauncherError> {
    fs::create_dir_all(&paths.data_dir).map_err(|error| LauncherError::file(&paths.data_dir, error))
}

/// Starts this binary with the command `run`. All paths are absolute, because the working directory
/// of the server is the data directory, as with airlift.
fn spawn(options: &CommandLine, paths: &Paths, log: File) -> Result<Child, LauncherError> {
    let error_log = log.try_clone().map_err(LauncherError::Spawn)?;
    let mut command = Command::new(std::env::current_exe().map_err(LauncherError::Spawn)?);
    command
        .args(child_arguments(options, paths))
        .current_dir(&paths.data_dir);
    command
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(error_log)
        .spawn()
        .map_err(LauncherError::Spawn)
}

fn child_arguments(options: &CommandLine, paths: &Paths) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["run".into(), "--detached".into()];
    // The options from `--node-config` on are passed only if they were given. Their default files
    // need not exist, and a property may take precedence over a default file.
    let given = [
        ("--etc-dir", Some(&paths.etc_dir)),
        ("--config", Some(&paths.config)),
        ("--data-dir", Some(&paths.data_dir)),
        ("--pid-file", Some(&paths.pid_file)),
        (
            "--node-config",
            options.node_config.as_ref().map(|_| &paths.node_config),
        ),
        (
            "--log-levels-file",
            options.log_levels_file.as_ref().map(|_| &paths.log_levels),
        ),
        (
            "--server-log-file",
            options.server_log_file.as_ref().map(|_| &paths.server_log),
        ),
    ];
    for (name, path) in given {
        if let Some(path) = path {
            arguments.extend([name.into(), path.into()]);
        }
    }
    for (key, value) in &options.properties {
        arguments.extend(["-D".into(), format!("{key}={value}").into()]);
    }
    arguments
}

/// Watches for a moment whether the server ends. An error such as a port in use is thus reported
/// here and not only in a log.
fn watch(child: &mut Child, log: &Path, log_start: u64) -> Result<(), LauncherError> {
    let deadline = clock::now() + START_WATCH_TIME;
    while clock::now() < deadline {
        if let Some(status) = child.try_wait().map_err(LauncherError::Spawn)? {
            let reason = last_line(log, log_start).ok().flatten();
            let reason = reason.unwrap_or_else(|| format!("see {}", log.display()));
            return Err(LauncherError::EndedAtOnce { status, reason });
        }
        thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// Returns the last line that was written to the log after the offset `start`.
fn last_line(log: &Path, start: u64) -> io::Result<Option<String>> {
    if !fs::metadata(log)?.is_file() {
        // Opening a FIFO would block until it has a writer.
        return Ok(None);
    }
    let mut file = File::open(log)?;
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(
        start.max(end.saturating_sub(LOG_TAIL_BYTES)),
    ))?;
    let mut tail = Vec::new();
    file.take(LOG_TAIL_BYTES).read_to_end(&mut tail)?;
    let tail = String::from_utf8_lossy(&tail);
    let line = tail.lines().rev().find(|line| !line.trim().is_empty());
    Ok(line.map(|line| line.trim_start_matches("ERROR: ").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The child gets absolute paths, and the properties in order. Optional paths are passed only
    /// if they were given.
    #[test]
    fn the_child_gets_the_same_configuration() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path().canonicalize().expect("exists");
        let options = CommandLine {
            etc_dir: Some(dir.join("etc")),
            data_dir: Some(dir.join("data")),
            server_log_file: Some(dir.join("s.log")),
            properties: vec![("a".into(), "1".into()), ("b".into(), "x=y".into())],
            detached: true,
            ..CommandLine::default()
        };
        let paths = Paths::resolve(&options).expect("resolves");
        let arguments: Vec<String> = child_arguments(&options, &paths)
            .into_iter()
            .map(|a| a.into_string().expect("text"))
            .collect();
        let dir = dir.display();
        let expected = format!(
            "run --detached --etc-dir {dir}/etc --config {dir}/etc/config.properties \
             --data-dir {dir}/data --pid-file {dir}/data/var/run/launcher.pid \
             --server-log-file {dir}/s.log -D a=1 -D b=x=y"
        );
        assert_eq!(arguments.join(" "), expected);
    }

    /// The reason for a failed start is the last line that this start logged, not a line of an
    /// earlier start.
    #[test]
    fn last_line_is_of_this_start() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("launcher.log");
        fs::write(&log, "ERROR: old\n").expect("writes");
        assert_eq!(last_line(&log, 11).expect("reads"), None);
        fs::write(&log, "ERROR: old\nstarting\nERROR: port 1 in use\n\n").expect("writes");
        assert_eq!(
            last_line(&log, 11).expect("reads").as_deref(),
            Some("port 1 in use")
        );
    }
}
