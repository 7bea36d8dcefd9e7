//! The secret of the engines in the tests, and the tokens that they make with it.

use super::engine_tokens::TokenOf;
use super::http::{self, Pending};
use quorate::clock::wall_ms;
use std::io::Error;
use std::net::SocketAddr;
use std::time::Duration;

/// The secret that nodes and engines share, unless a test says otherwise.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef-one";
/// Lifetime of a token in seconds, as in Presto.
const LIFETIME_S: u64 = 300;
/// Lifetime of the tokens of [`send_as_engine`]: longer than the clock of any node is ahead.
const LONG_LIFETIME_S: u64 = 10 * 365 * 86_400;

/// Returns the header line with a token of a node that is valid now. It includes its line end.
pub fn token_line(of: TokenOf, secret: &str, node_id: &str) -> String {
    let token = of.token(secret, node_id, wall_ms() / 1_000 + LIFETIME_S);
    format!("{}: {token}\r\n", of.header())
}

/// Sends a request for `/v1/announcement/{node_id}` with the token of this node, and does not wait
/// for its answer. Nodes that need no token ignore it.
pub fn send_as_engine(
    to: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&str>,
    limit: Duration,
) -> Result<Pending, Error> {
    let node_id = path.rsplit('/').next().unwrap_or_default();
    let of = TokenOf::Trino;
    let token = of.token(SECRET, node_id, wall_ms() / 1_000 + LONG_LIFETIME_S);
    let header = format!("{}: {token}\r\n", of.header());
    http::send_with(to, method, path, &header, body, limit)
}
