//! The secrets of the tests, and the properties that name them.

use crate::support::Options;
use crate::support::node::Node;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use crate::support::engines_secret::SECRET;

/// A secret that the nodes of a test do not have at its start.
pub const OTHER_SECRET: &str = "0123456789abcdef0123456789abcdef-two";

/// A secret of the engines that replaces [`SECRET`].
pub const NEXT_SECRET: &str = "0123456789abcdef0123456789abcdef-six";

/// Maximum time until a node uses a changed file of secrets. The node reads the file every second,
/// and a change counts when it is read twice.
pub const RELOADED_WITHIN: Duration = Duration::from_secs(15);

pub const SHARED_SECRET: &str = "cluster.shared-secret";
pub const PEER_AUTHENTICATION: &str = "cluster.peer-authentication";

/// Returns the options of a cluster whose nodes share [`SECRET`].
pub fn with_secret() -> Options {
    let mut options = Options::max_age("10m");
    options.settings.push((SHARED_SECRET, SECRET));
    options
}

/// Asserts that neither the log, the status nor the data directory of a node contains a secret.
pub fn assert_no_secret_logged<'a>(nodes: impl IntoIterator<Item = &'a Node>) {
    for node in nodes {
        for secret in [SECRET, OTHER_SECRET, NEXT_SECRET] {
            let node_id = &node.etc.node_id;
            assert!(!node.log().contains(secret), "{node_id} logs it");
            let status = node.status().unwrap_or_default().to_string();
            assert!(!status.contains(secret), "{node_id} shows it");
            for path in files(&node.etc.data_dir()) {
                // A file may be removed meanwhile.
                let bytes = fs::read(&path).unwrap_or_default();
                let mut windows = bytes.windows(secret.len());
                let has_it = windows.any(|window| window == secret.as_bytes());
                assert!(!has_it, "{} has it", path.display());
            }
        }
    }
}

/// Returns the files in a directory and below.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => files(&path),
            path => vec![path],
        })
        .collect()
}
