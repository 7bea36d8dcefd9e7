//! Tests of `discovery.announcement.authentication`: engines announce and withdraw themselves with
//! a token, on every node.

use super::secrets::{NEXT_SECRET, RELOADED_WITHIN, SECRET, assert_no_secret_logged};
use crate::support::cluster::FORM_LIMIT;
use crate::support::engine_tokens::TokenOf;
use crate::support::engines_secret::token_line;
use crate::support::etc::write;
use crate::support::node::{Node, PATIENCE, announcement, announcement_path};
use crate::support::{Cluster, Options, http, until};
use quorate::security::{EngineTokenSigner, Secret};

const ENGINES_SECRET: &str = "internal-communication.shared-secret";
const ENGINES_SECRET_FILE: &str = "internal-communication.shared-secret-file";
const KIND: &str = "presto";

/// The tokens of a load generator are those of Trino, to the byte.
#[test]
fn signed_tokens_are_those_of_trino() {
    let signer = EngineTokenSigner::of(&Secret::parse(SECRET).expect("a secret"));
    for (node_id, expires_s) in [("w1", 1_700_000_300), ("bench-0badcafe-7", 0)] {
        let expected = TokenOf::Trino.token(SECRET, node_id, expires_s);
        assert_eq!(signer.token(node_id, expires_s), expected);
    }
}

/// Sends an announcement or a withdrawal with this header line. Returns the status and the text.
fn send(node: &Node, method: &str, node_id: &str, token: &str) -> (u16, String) {
    let body = (method == "PUT").then(|| announcement(KIND, node_id, 1));
    let path = announcement_path(node_id);
    let body = body.as_deref();
    let sent = http::send_with(node.address(), method, &path, token, body, PATIENCE);
    let response = sent.and_then(http::Pending::answer).expect("a response");
    (response.status, response.body)
}

/// With the secret of the engines alone, peers and engines must prove it. Engines of both kinds
/// announce and withdraw themselves on every node; a false coordinator, a withdrawal by another
/// engine and a static announcement are refused, and nothing of them is committed.
#[test]
fn the_false_coordinator_is_refused() {
    let mut options = Options::max_age("10m");
    options.settings.push((ENGINES_SECRET, SECRET));
    let cluster = Cluster::start(3, options);
    for (node, of) in cluster
        .nodes
        .iter()
        .zip([TokenOf::Presto, TokenOf::Trino, TokenOf::Presto])
    {
        assert_eq!(
            send(node, "PUT", "w1", &token_line(of, SECRET, "w1")).0,
            202
        );
    }
    let announced = |node: &Node| node.get("/v1/service").expect("it serves").body;
    let before = announced(&cluster.nodes[0]);
    for node in &cluster.nodes {
        let (status, text) = send(node, "PUT", "evil", "");
        assert_eq!(status, 401, "{text}");
        let (status, text) = send(
            node,
            "PUT",
            "evil",
            &token_line(TokenOf::Trino, SECRET, "w1"),
        );
        assert_eq!(
            (status, text.trim_end()),
            (403, "The token is of node w1, not of evil")
        );
        let (status, text) = send(
            node,
            "DELETE",
            "w1",
            &token_line(TokenOf::Trino, SECRET, "w2"),
        );
        assert_eq!(status, 403, "{text}");
        let (status, text) = send(node, "PUT", "w1", &token_line(TokenOf::Trino, "test", "w1"));
        assert_eq!(status, 401);
        assert!(
            text.contains("the engine has no internal-communication.shared-secret"),
            "{text}"
        );
        let statics = node.add_static(KIND).expect("a response");
        assert_eq!(statics.status, 403, "{}", statics.body);
        let said = "refused 127.0.0.1: The token is of node w1, not of evil";
        until(said, FORM_LIMIT, || node.log().contains(said).then_some(()));
    }
    assert_eq!(
        announced(&cluster.nodes[0]),
        before,
        "an attack was committed"
    );
    assert_eq!(cluster.nodes[1].lookup(KIND).expect("it serves").len(), 1);
    let withdrawn = send(
        &cluster.nodes[2],
        "DELETE",
        "w1",
        &token_line(TokenOf::Trino, SECRET, "w1"),
    );
    assert_eq!(withdrawn.0, 204, "{}", withdrawn.1);
    assert_eq!(
        cluster.nodes[1].status().expect("a status")["security"],
        "required"
    );
    assert_no_secret_logged(&cluster.nodes);
}

/// The secret of the engines is replaced while they announce themselves: with both secrets in the
/// file, engines with either are accepted.
#[test]
fn the_engines_secret_is_rotated() {
    let mut cluster = Cluster::prepare(1, Options::max_age("10m"));
    let file = cluster.nodes[0].etc.etc_dir().join("secrets");
    write(&file, SECRET);
    cluster.nodes[0].set(ENGINES_SECRET_FILE, &file.display().to_string());
    cluster.start_all();
    cluster.wait_serving();
    let node = &cluster.nodes[0];
    let accepts =
        |secret| send(node, "PUT", "w1", &token_line(TokenOf::Trino, secret, "w1")).0 == 202;
    assert!(accepts(SECRET) && !accepts(NEXT_SECRET));
    write(&file, &format!("{NEXT_SECRET}\n{SECRET}\n"));
    until("both secrets are accepted", RELOADED_WITHIN, || {
        (accepts(NEXT_SECRET) && accepts(SECRET)).then_some(())
    });
    write(&file, NEXT_SECRET);
    until("the old secret is refused", RELOADED_WITHIN, || {
        (accepts(NEXT_SECRET) && !accepts(SECRET)).then_some(())
    });
    assert_no_secret_logged(&cluster.nodes);
}
