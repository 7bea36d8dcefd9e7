//! The secrets of the tests, and the properties that name them.

use crate::support::Options;
use crate::support::node::Node;

/// The shared secret of the tests.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef-one";
/// A secret that the nodes of a test do not have at its start.
pub const OTHER_SECRET: &str = "0123456789abcdef0123456789abcdef-two";

pub const SHARED_SECRET: &str = "cluster.shared-secret";
pub const PEER_AUTHENTICATION: &str = "cluster.peer-authentication";

/// Returns the options of a cluster whose nodes share [`SECRET`].
pub fn with_secret() -> Options {
    let mut options = Options::max_age("10m");
    options.settings.push((SHARED_SECRET, SECRET));
    options
}

/// Sets a property of a node that does not run.
pub fn set(node: &mut Node, key: &str, value: &str) {
    node.etc.settings.retain(|(name, _)| name != key);
    node.etc.settings.push((key.to_owned(), value.to_owned()));
    node.etc.write();
}

/// Asserts that no log of the nodes contains a secret.
pub fn assert_no_secret_logged<'a>(nodes: impl IntoIterator<Item = &'a Node>) {
    for node in nodes {
        for secret in [SECRET, OTHER_SECRET] {
            assert!(!node.log().contains(secret), "{} logs it", node.etc.node_id);
        }
    }
}
