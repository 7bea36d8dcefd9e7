//! The proofs of identity that quorate makes and checks.
//!
//! - [`Secret`] and [`SecretList`]: shared secrets, which no output ever shows.
//! - [`PeerKeys`]: the key pair by which peers recognize each other, and the TLS settings for it.
//! - [`EngineKeys`]: the check of the tokens of Presto's and Trino's engines.
//! - [`AccessTokens`]: the list of the tokens of people and tools.
//!
//! Nothing here does I/O or reads a clock.

mod access_token;
mod engine_token;
mod peer_keys;
mod secret;
mod secret_list;

pub use access_token::{
    ACCESS_TOKENS_MAX, AccessTokens, AccessTokensError, TOKEN_NAME_BYTES_MAX, TokenLineError,
    TokenNameError, TokenOwner, TokenRole, TokenRoleError, token_line, token_of,
};
pub use engine_token::{EngineKeys, EngineTokenError, LEEWAY_S, TOKEN_BYTES_MAX};
pub use peer_keys::{PEER_ALPN, PeerKeys, PublicKey};
pub use secret::{SECRET_BYTES_ADVISED, SECRET_BYTES_MAX, SECRET_BYTES_MIN, Secret, SecretError};
pub use secret_list::{SECRETS_MAX, SecretList, SecretListError};
