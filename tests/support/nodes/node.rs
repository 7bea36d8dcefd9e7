//! One quorate process: starts and ends it, and sends it the requests of a client.

use super::etc::Etc;
use crate::support::engine_tokens::TokenOf;
use crate::support::engines_secret::{SECRET, token_line};
use crate::support::http::{self, Response};
use crate::support::wait::until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// The quorate binary that this build has produced.
pub const BINARY: &str = env!("CARGO_BIN_EXE_quorate");
/// Timeout of a client. It is longer than the product may take for any answer.
pub const PATIENCE: Duration = Duration::from_secs(5);
const EXIT_LIMIT: Duration = Duration::from_secs(10);

/// A node of a test cluster, running or not.
pub struct Node {
    pub etc: Etc,
    /// The program that the process runs: [`BINARY`], unless a test replaces it by another release.
    pub program: PathBuf,
    /// The command-line options, except for `--etc-dir`.
    pub options: Vec<String>,
    /// Environment variables of the process.
    pub environment: Vec<(&'static str, OsString)>,
    /// A wrapper program, with its arguments, that starts the node. Empty if the test starts the
    /// node directly.
    pub started_by: Vec<String>,
    child: Option<Child>,
}

/// The outcome of a write, as far as a client can tell from the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// The write was acknowledged, at this log index.
    Acked(u64),
    /// The write was certainly not applied.
    NotApplied(String),
    /// The write may or may not have been applied.
    Unknown(String),
}

/// The token of each node id in a lookup.
pub type Tokens = BTreeMap<String, u64>;

impl Node {
    pub fn new(etc: Etc) -> Node {
        etc.write();
        Node::new_as_written(etc)
    }

    /// Returns a node whose files the test has already written.
    pub fn new_as_written(etc: Etc) -> Node {
        Node {
            etc,
            program: PathBuf::from(BINARY),
            options: Vec::new(),
            environment: Vec::new(),
            started_by: Vec::new(),
            child: None,
        }
    }

    /// Sets a property of config.properties. A running node does not read it.
    pub fn set(&mut self, key: &str, value: &str) {
        self.etc.settings.retain(|(name, _)| name != key);
        self.etc.settings.push((key.to_owned(), value.to_owned()));
        self.etc.write();
    }

    // ---- Life cycle

    /// Starts the process, without waiting for it.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.etc.node_id);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("a log file");
        let etc = self.etc.etc_dir();
        let program = self.program.as_os_str();
        let started_by = self.started_by.iter().map(OsStr::new);
        let mut words = started_by.chain([program]);
        let mut command = Command::new(words.next().expect("the product at least"));
        command
            .args(words)
            .envs(self.environment.iter().cloned())
            .args(["run", "--etc-dir"])
            .arg(etc)
            .args(&self.options);
        let errors = log.try_clone().expect("a file handle can be cloned");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        self.child = Some(command.spawn().expect("the product starts"));
    }

    /// Sends SIGKILL and waits for the end of the process.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child can be waited for");
        }
    }

    /// Sends SIGTERM, waits for the end of the process, and returns its exit status.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended("SIGTERM")
    }

    /// Sends SIGTERM, without waiting for the end of the process.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits until the process ends, for the given reason, and returns its exit status.
    pub fn ended(&mut self, reason: &str) -> ExitStatus {
        let child = self.child.as_mut().expect("the node was started");
        let status = until(&format!("{reason} ends the process"), EXIT_LIMIT, || {
            child.try_wait().expect("a child can be asked")
        });
        self.child = None;
        status
    }

    /// Returns whether the process has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| child.try_wait().expect("a child can be asked").is_none())
    }

    /// Sends SIGSTOP.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Sends SIGCONT.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Empties the data directory of a node that does not run.
    pub fn wipe(&self) {
        assert!(self.child.is_none(), "a running node is not wiped");
        fs::remove_dir_all(self.etc.data_dir()).expect("its data directory can be removed");
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the node runs");
        kill_process(Pid::from_child(child), signal).expect("a child can be signalled");
    }

    fn log_path(&self) -> PathBuf {
        self.etc.dir.join("quorate.log")
    }

    /// Returns the committed log of a node that does not run, with a line of JSON for each entry.
    ///
    /// The log is read from a copy. Opening a database that was not closed repairs the database,
    /// which the test must leave to the node.
    pub fn committed_log(&self) -> String {
        assert!(self.child.is_none(), "a running node's log is its own");
        let copy = self.etc.dir.join("data-copy");
        copy_dir(&self.etc.data_dir(), &copy);
        let output = Command::new(BINARY)
            .arg("log")
            .arg(&copy)
            .output()
            .expect("quorate runs");
        fs::remove_dir_all(&copy).expect("it was just made");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("JSON is text")
    }

    /// Returns the log indexes at which committed entries changed services of a type, in order. The
    /// node must not be running.
    pub fn logged_changes(&self, kind: &str) -> Vec<u64> {
        let text = self.committed_log();
        let entries = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("an entry a line"));
        entries
            .filter(|entry| {
                let changes = entry["changes"].as_array().expect("no snapshot so far");
                changes.iter().any(|change| change["type"] == kind)
            })
            .map(|entry| entry["index"].as_u64().expect("an index"))
            .collect()
    }

    /// Returns everything that the node has written to its standard streams since its first start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    // ---- Requests of clients

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.etc.port))
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Sends a GET request for a path and returns the response. A node whose lookups need a proof
    /// is sent the token of an engine.
    pub fn get(&self, path: &str) -> Result<Response, std::io::Error> {
        let mut settings = self.etc.settings.iter();
        let headers = match settings.any(|(key, _)| key == "discovery.read-authentication") {
            true => token_line(TokenOf::Trino, SECRET, "reader"),
            false => String::new(),
        };
        http::send_with(self.address(), "GET", path, &headers, None, PATIENCE)?.answer()
    }

    /// Announces one service of type `kind`, with `token` as a property.
    pub fn announce(&self, kind: &str, node_id: &str, token: u64) -> Write {
        let body = announcement(kind, node_id, token);
        write_of(http::request(
            self.address(),
            "PUT",
            &announcement_path(node_id),
            Some(&body),
            PATIENCE,
        ))
    }

    /// Announces one service like [`Node::announce`], and panics unless the write is acknowledged.
    /// Returns its log index.
    pub fn announce_acked(&self, kind: &str, node_id: &str, token: u64) -> u64 {
        match self.announce(kind, node_id, token) {
            Write::Acked(index) => index,
            other => panic!(
                "{} does not take the announcement of {node_id}: {other:?}",
                self.etc.node_id
            ),
        }
    }

    /// Withdraws the announcement of a node id.
    pub fn withdraw(&self, node_id: &str) -> Write {
        write_of(http::request(
            self.address(),
            "DELETE",
            &announcement_path(node_id),
            None,
            PATIENCE,
        ))
    }

    /// Adds a static service and returns the answer.
    pub fn add_static(&self, kind: &str) -> Result<Response, std::io::Error> {
        let body = json!({"environment": "test", "type": kind, "pool": "general",
            "location": "/static",
            "properties": {"http": "http://static:1"}});
        http::request(
            self.address(),
            "POST",
            "/v1/announcement/static",
            Some(&body.to_string()),
            PATIENCE,
        )
    }

    /// Performs a linearizable lookup of a type. Returns `None` when it was not served.
    pub fn lookup(&self, kind: &str) -> Option<Vec<Value>> {
        services(&self.get(&format!("/v1/service/{kind}/general")).ok()?)
    }

    /// Performs a linearizable lookup of a type and returns its tokens. Returns `None` if the
    /// lookup was not served.
    pub fn tokens(&self, kind: &str) -> Option<Tokens> {
        Some(tokens_of(&self.lookup(kind)?))
    }

    /// Returns the answer of `/v1/cluster/status`, which every running node gives.
    pub fn status(&self) -> Option<Value> {
        let response = self.get("/v1/cluster/status").ok()?;
        (response.status == 200).then(|| serde_json::from_str(&response.body).ok())?
    }

    /// Returns whether `/v1/cluster/ready` is answered with 200.
    pub fn is_ready(&self) -> bool {
        self.get("/v1/cluster/ready")
            .is_ok_and(|response| response.status == 200)
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the node runs").id()
    }

    /// Returns the resident memory of the process, in kilobytes.
    #[cfg(target_os = "linux")]
    pub fn resident_kb(&self) -> u64 {
        let pid = self.pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
        kilobytes.expect("VmRSS is a number of kB")
    }

    /// Returns the processor time that the process has used, in milliseconds.
    #[cfg(target_os = "linux")]
    pub fn processor_ms(&self) -> u64 {
        let stat =
            fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("a running process");
        let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |i: usize| fields[i].parse::<u64>().expect("a number");
        // The times in /proc are in hundredths of a second on every Linux on which this runs.
        10 * (ticks(11) + ticks(12))
    }

    /// Waits until the node answers a linearizable lookup.
    pub fn wait_serving(&self, limit: Duration) {
        until(&format!("{} serves", self.etc.node_id), limit, || {
            self.get("/v1/service")
                .ok()
                .filter(|response| response.status == 200)
        });
    }

    /// Waits until the node is a voter that serves.
    pub fn wait_ready(&self, limit: Duration) {
        until(&format!("{} is ready", self.etc.node_id), limit, || {
            self.is_ready().then_some(())
        });
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// Returns the body that announces one service of type `kind`, with `token` as a property.
pub fn announcement(kind: &str, node_id: &str, token: u64) -> String {
    json!({"environment": "test", "nodeId": node_id, "pool": "general",
        "location": format!("/{node_id}"),
        "services": [{"id": format!("service-of-{node_id}"), "type": kind,
            "properties": {"http": "http://engine:1", "token": token.to_string()}}]})
    .to_string()
}

/// Returns the path of a node's announcement.
pub fn announcement_path(node_id: &str) -> String {
    format!("/v1/announcement/{node_id}")
}

/// Returns the services in the answer to a lookup, or `None` if the lookup was not served.
pub fn services(response: &Response) -> Option<Vec<Value>> {
    if response.status != 200 {
        return None;
    }
    let body: Value = serde_json::from_str(&response.body).expect("a lookup is JSON");
    Some(
        body["services"]
            .as_array()
            .expect("a lookup has services")
            .clone(),
    )
}

/// Returns the token of each service, by its node id.
pub fn tokens_of(services: &[Value]) -> Tokens {
    services
        .iter()
        .map(|service| {
            let node_id = service["nodeId"]
                .as_str()
                .expect("a service has a nodeId")
                .to_owned();
            let token = service["properties"]["token"]
                .as_str()
                .and_then(|token| token.parse().ok());
            (node_id, token.expect("a service of this test has a token"))
        })
        .collect()
}

/// Returns the outcome of a write, as far as the answer to the write shows it.
///
/// # Panics
/// When the documentation does not allow the answer.
pub fn write_of(answer: Result<Response, std::io::Error>) -> Write {
    let response = match answer {
        Ok(response) => response,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            return Write::NotApplied(error.to_string());
        }
        Err(error) => return Write::Unknown(error.to_string()),
    };
    let header = |name: &str| response.headers.get(name).map(String::as_str);
    match (response.status, header("quorate-applied")) {
        (202 | 204, _) => {
            let index = header("quorate-index").and_then(|index| index.parse().ok());
            Write::Acked(index.expect("an acknowledged write carries Quorate-Index"))
        }
        (503, Some("no")) => Write::NotApplied(response.body),
        (503, Some("unknown")) => Write::Unknown(response.body),
        (status, applied) => {
            panic!(
                "an undocumented answer to a write: {status}, Quorate-Applied {applied:?}: {}",
                response.body
            )
        }
    }
}

/// Copies a directory with its contents.
pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a temporary directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("a directory entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a file can be copied");
        }
    }
}
