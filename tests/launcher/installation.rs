//! An installation of quorate in a temporary directory, with the launcher's commands.

use crate::wait;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Time limit for each step. It is far beyond the duration of any step on a busy machine.
pub const TIME_LIMIT: Duration = Duration::from_secs(30);

pub fn quorate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// The installation of one server. Dropping a `LauncherInstallation` kills the server.
pub struct LauncherInstallation {
    pub dir: TempDir,
}

impl LauncherInstallation {
    pub fn new(port: u16) -> Self {
        let installation = Self {
            dir: tempfile::tempdir().expect("a directory"),
        };
        fs::create_dir(installation.path("etc")).expect("creates");
        installation.configure(&format!(
            "node.environment=test\nnode.id=a\nhttp-server.http.port={port}\n"
        ));
        installation
    }

    pub fn configure(&self, text: &str) {
        fs::write(self.path("etc/config.properties"), text).expect("writes");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn command(&self, command: &str) -> Command {
        let mut quorate = quorate(&["--etc-dir"]);
        quorate
            .arg(self.path("etc"))
            .arg(command)
            .arg("--data-dir")
            .arg(self.path("data"));
        quorate
    }

    /// Runs a command of the launcher, and returns its output and its exit code.
    pub fn run(&self, command: &str) -> (String, i32) {
        printed(&self.command(command).output().expect("runs"))
    }

    /// Starts the server and returns its pid.
    pub fn start(&self) -> i32 {
        let (text, code) = self.run("start");
        assert_eq!(code, 0, "{text}");
        text.trim()
            .strip_prefix("Started as ")
            .expect("says so")
            .parse()
            .expect("a pid")
    }
}

impl Drop for LauncherInstallation {
    fn drop(&mut self) {
        let _best_effort = self.command("kill").output();
    }
}

pub fn printed(output: &Output) -> (String, i32) {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (
        String::from_utf8(text).expect("text"),
        output.status.code().expect("no signal"),
    )
}

pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    wait::until(what, TIME_LIMIT, || happened().then_some(()));
}

pub fn signal(pid: i32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid).expect("not 0");
    rustix::process::kill_process(pid, signal).expect("is there");
}
