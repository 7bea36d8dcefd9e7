//! The secret of the engines in the tests, and the tokens that they make with it.

use super::engine_tokens::TokenOf;
use quorate::clock::wall_ms;

/// The secret that nodes and engines share, unless a test says otherwise.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef-one";
/// Lifetime of a token in seconds, as in Presto.
const LIFETIME_S: u64 = 300;

/// Returns the header line with a token of a node that is valid now. It includes its line end.
pub fn token_line(of: TokenOf, secret: &str, node_id: &str) -> String {
    let token = of.token(secret, node_id, wall_ms() / 1_000 + LIFETIME_S);
    format!("{}: {token}\r\n", of.header())
}
