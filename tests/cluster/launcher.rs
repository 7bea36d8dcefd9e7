use crate::support::cluster::FORM_LIMIT;
use crate::support::node::{BINARY, Node};
use crate::support::{Cluster, Options};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A node whose process the launcher starts. Whatever happens, it is ended.
struct Launched<'a>(&'a Node);

impl Launched<'_> {
    /// Runs one of the launcher's commands: its exit code, and what it said.
    fn command(&self, word: &str) -> (Option<i32>, String) {
        let etc = self.0.etc.etc_dir();
        let output = Command::new(BINARY)
            .args([word, "--etc-dir"])
            .arg(etc)
            .output()
            .expect("the product starts");
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    fn expect(&self, word: &str, code: i32, says: &str) {
        let (given, said) = self.command(word);
        assert_eq!(given, Some(code), "{word}: {said}");
        assert!(said.contains(says), "{word} says {says:?}: {said}");
    }
}

impl Drop for Launched<'_> {
    fn drop(&mut self) {
        self.command("kill");
    }
}

/// Proves that the launcher's commands do what airlift's do, with its words and exit codes, and
/// that what was announced survives each way of stopping.
#[test]
fn the_launcher_starts_stops_and_says_so() {
    let cluster = Cluster::prepare(1, Options::max_age("10m"));
    let node = &cluster.nodes[0];
    let launched = Launched(node);
    launched.expect("status", 3, "Not running");
    launched.expect("stop", 0, "Not running");
    launched.expect("kill", 0, "Not running");

    launched.expect("start", 0, "Started as ");
    node.wait_serving(FORM_LIMIT);
    launched.expect("status", 0, "Running as ");
    launched.expect("start", 0, "Already running as ");
    node.announce_acked("launched", "engine", 1);
    let pid_file = node.etc.data_dir().join("var/run/launcher.pid");
    let mode = std::fs::metadata(&pid_file)
        .expect("there is a pid file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    for log in ["launcher.log", "server.log", "http-request.log"] {
        assert!(
            node.etc.data_dir().join("var/log").join(log).is_file(),
            "{log}"
        );
    }

    launched.expect("restart", 0, "Started as ");
    node.wait_serving(FORM_LIMIT);
    launched.expect("kill", 0, "Killed ");
    launched.expect("status", 3, "Not running");
    launched.expect("start", 0, "Started as ");
    node.wait_serving(FORM_LIMIT);
    assert_eq!(
        node.tokens("launched").expect("it serves").get("engine"),
        Some(&1)
    );
    launched.expect("stop", 0, "Stopped ");
    launched.expect("status", 3, "Not running");
    assert!(
        TcpListener::bind(node.address()).is_ok(),
        "the port is free again"
    );
}

/// Proves that a start that fails says why where the user looks, and leaves nothing running.
#[test]
fn a_start_that_fails_says_why() {
    let cluster = Cluster::prepare(1, Options::default());
    let node = &cluster.nodes[0];
    let launched = Launched(node);
    let taken = TcpListener::bind(node.address()).expect("the port is free");
    launched.expect("start", 4, &node.etc.port.to_string());
    launched.expect("status", 3, "Not running");
    drop(taken);
}
