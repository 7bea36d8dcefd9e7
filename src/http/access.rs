//! What the access log is told of each request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// One answered request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRecord {
    /// The address that the connection came from; `X-Forwarded-*` is ignored.
    pub client: IpAddr,
    /// The method.
    pub method: String,
    /// The request target as it came.
    pub uri: String,
    /// `HTTP/1.1` and the like.
    pub protocol: String,
    /// `User-Agent`, if it was readable.
    pub user_agent: Option<String>,
    /// The status of the answer.
    pub status: u16,
    /// The announced length of the request body; 0 for none or a chunked one.
    pub request_bytes: u64,
    /// The length of the answer's body.
    pub response_bytes: u64,
    /// From the request's head to the answer's.
    pub latency: Duration,
}

/// Takes each record; called from the request's own task, so it must not block.
pub type AccessLog = Arc<dyn Fn(AccessRecord) + Send + Sync>;
