//! Runs the binary to its end, or follows its output line by line.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

/// Time limit for each step. It is far beyond the duration of any step on a busy machine.
pub const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Maximum number of unread lines. No test leaves more lines unread.
const QUEUE: usize = 64;

/// Returns the command with these arguments, and with `--server` if there are any `servers`.
pub fn quorate(words: &[&str], servers: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command
        .args(words)
        .env_remove("QUORATE_SERVERS")
        .stdin(Stdio::null());
    if !servers.is_empty() {
        command.args(["--server", &servers.join(",")]);
    }
    command
}

/// The output of a command, and its exit code.
#[derive(Debug, PartialEq, Eq)]
pub struct EndedCommand {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> EndedCommand {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    EndedCommand {
        code: status.code(),
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

/// A running command whose output is read line by line.
pub struct Followed {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

impl Followed {
    pub fn start(command: &mut Command) -> Followed {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let out = lines(child.stdout.take().expect("a pipe"));
        let err = lines(child.stderr.take().expect("a pipe"));
        Followed { child, out, err }
    }

    /// Returns the next line of standard output.
    pub fn line(&self) -> String {
        let line = self.out.recv_timeout(TIME_LIMIT);
        line.expect("a line on standard output")
    }

    /// Returns the next line of standard error.
    pub fn notice(&self) -> String {
        let line = self.err.recv_timeout(TIME_LIMIT);
        line.expect("a line on standard error")
    }

    /// Ends the command by a signal. Returns its exit status and its remaining standard output.
    pub fn end_by(mut self, signal: rustix::process::Signal) -> (ExitStatus, Vec<String>) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it still runs");
        let rest = self.out.iter().collect();
        (self.child.wait().expect("it was started"), rest)
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Reads a stream in the background and returns its lines.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(QUEUE);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
