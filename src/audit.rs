//! The names of the audit log's events.
//!
//! An event is a `tracing` event with the target [`AUDIT_TARGET`], so every module can write one
//! without a handle of the log. Its message is one of the names below, and its fields are the
//! members of the JSON object in the log. No field contains a secret or a token.

/// The target of every event of the audit log.
pub const AUDIT_TARGET: &str = "quorate::audit";

/// The server has started. The fields state which proofs it demands.
pub const START: &str = "start";

/// A file with secrets, tokens or certificates was read again and has changed.
pub const RELOAD: &str = "reload";

/// A client changed the registry, or may have changed it.
pub const CHANGE: &str = "change";

/// A client was refused.
pub const REFUSAL: &str = "refusal";

/// A peer that proved the shared secret or showed a certificate connected or was refused.
pub const PEER: &str = "peer";
