//! The identity that a client has proved.

use super::certificate::ClientCertificate;
use crate::model::shown;
use ipnet::IpNet;
use std::fmt;
use std::sync::Arc;

/// The identity that a client has proved, as the audit log names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) enum Principal {
    /// The client has proved nothing, because it need not.
    Anonymous,
    /// The engine with this node id, by its token.
    Engine(String),
    /// The person or tool with this name, by a token of `cluster.tokens-file`.
    Token(Arc<str>),
    /// The client with this certificate. Whether it proves that the client is the engine of a
    /// request is checked against the announcement.
    Certificate(Arc<ClientCertificate>),
    /// A client in this network of `discovery.announcement.trusted-addresses`.
    TrustedAddress(IpNet),
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Principal::Anonymous => f.write_str("none"),
            Principal::Engine(node_id) => write!(f, "engine:{}", shown(node_id)),
            Principal::Token(name) => write!(f, "token:{name}"),
            Principal::Certificate(certificate) => write!(f, "certificate:{certificate}"),
            Principal::TrustedAddress(network) => write!(f, "address:{network}"),
        }
    }
}
