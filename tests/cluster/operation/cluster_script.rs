//! Tests of `scripts/cluster.sh`.

use crate::support::node::{BINARY, services};
use crate::support::slots::Slots;
use crate::support::{http, ports, until};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

/// The script, with a directory and ports of its own. Dropping a `Script` ends the processes of the
/// script.
struct Script {
    dir: TempDir,
    port: u16,
    _slots: Slots,
}

impl Script {
    fn new() -> Script {
        // The script needs three consecutive ports, so three are found that are free now.
        let port = until("three free ports in a row", Duration::from_secs(10), || {
            let first = ports::free();
            (first..first + 3)
                .all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
                .then_some(first)
        });
        Script {
            dir: TempDir::new().expect("a temporary directory"),
            port,
            _slots: Slots::one(),
        }
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/cluster.sh"))
            .args(["--bin", BINARY, "--port", &self.port.to_string(), "--dir"])
            .arg(self.dir.path())
            .args(words)
            .output()
            .expect("the script starts")
    }

    fn succeeds(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{words:?}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said
    }

    fn fails(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(!output.status.success(), "{words:?} should fail");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn address(&self, node: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port + node - 1))
    }

    fn serves(&self, node: u16) -> bool {
        http::request(
            self.address(node),
            "GET",
            "/v1/service",
            None,
            Duration::from_secs(3),
        )
        .is_ok_and(|response| services(&response).is_some())
    }

    fn wait_serves(&self, node: u16) {
        until("the node serves", Duration::from_secs(20), || {
            self.serves(node).then_some(())
        });
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.run(&["purge"]);
    }
}

/// `up` starts three nodes that serve and outlive the command. Each other command has its
/// documented effect on one node, and `down` leaves no process running.
#[test]
fn the_cluster_script_starts_disturbs_and_ends_its_nodes() {
    let script = Script::new();
    let said = script.succeeds(&["up"]);
    for node in 1..=3 {
        assert!(script.serves(node), "node {node} serves when `up` returns");
        assert!(
            said.contains(&format!("discovery.uri=http://{}", script.address(node))),
            "{said}"
        );
    }
    assert!(script.fails(&["up"]).contains("already up"));
    assert!(script.fails(&["kill", "4"]).contains("unknown node '4'"));
    assert!(
        script
            .fails(&["kill", "all"])
            .contains("unknown node 'all'")
    );
    assert!(script.succeeds(&["status"]).contains("quorate-3"));

    script.succeeds(&["kill", "1"]);
    assert!(
        script
            .fails(&["kill", "1"])
            .contains("node 1 is not running")
    );
    script.wait_serves(2);
    assert!(script.succeeds(&["status"]).contains("is not running"));
    script.succeeds(&["restart", "1"]);
    script.wait_serves(1);

    script.succeeds(&["pause", "2"]);
    assert!(!script.serves(2));
    assert!(script.succeeds(&["status"]).contains("is paused"));
    script.succeeds(&["resume", "2"]);
    script.wait_serves(2);

    script.succeeds(&["wipe", "3"]);
    script.wait_serves(3);
    assert!(!script.succeeds(&["logs", "3"]).is_empty());

    // `down` must end a paused node too.
    script.succeeds(&["pause", "2"]);
    script.succeeds(&["down"]);
    for node in 1..=3 {
        assert!(
            TcpListener::bind(script.address(node)).is_ok(),
            "node {node} has gone"
        );
    }
    // `down` keeps the data, so the next `up` finds the same group.
    assert!(script.fails(&["up", "5"]).contains("3 nodes"));
    script.succeeds(&["up"]);
}

/// A port in use is reported before anything is started.
#[test]
fn the_cluster_script_refuses_a_port_in_use() {
    let script = Script::new();
    let taken = TcpListener::bind(script.address(2)).expect("the port is free");
    let said = script.fails(&["up"]);
    assert!(
        said.contains(&format!("port {} is in use", script.port + 1)),
        "{said}"
    );
    drop(taken);
    assert!(!script.serves(1));
}
