//! Runs nodes in network namespaces of their own, so that a test does not depend on the network of
//! its machine.

use crate::support::node::Node;
use std::process::Command;

/// Lets a node start in a new network namespace, which the shell commands set up first. Returns
/// `Err` with the reason if this user may not create namespaces, which containers often forbid.
pub fn enclose(node: &mut Node, commands: &str) -> Result<(), String> {
    let root = rustix::process::geteuid().is_root();
    let script = format!("set -e; ip link set lo up; {commands}; exec \"$@\"");
    let mut words = vec!["unshare"];
    words.extend(if root { &["-n"][..] } else { &["-r", "-n"][..] });
    words.extend(["sh", "-c", &script, "sh"]);
    node.started_by = words.iter().map(|word| (*word).to_owned()).collect();
    let tried = Command::new(words[0])
        .args(&words[1..])
        .arg("true")
        .output()
        .map_err(|error| format!("unshare: {error}"))?;
    match tried.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&tried.stderr).trim().to_owned()),
    }
}

/// Runs a command in the network namespace of a node and returns its output.
pub fn inside(node: &Node, words: &[&str]) -> String {
    let root = rustix::process::geteuid().is_root();
    let pid = node.pid().to_string();
    let mut enter = Command::new("nsenter");
    enter.args(["-t", &pid, "-n"]);
    if !root {
        enter.args(["-U", "--preserve-credentials"]);
    }
    let output = enter.args(words).output().expect("nsenter runs");
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}
