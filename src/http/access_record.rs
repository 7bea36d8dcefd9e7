//! What the access log is told of each request.

use http::{HeaderValue, Method, Uri, Version};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// One answered request. What it holds of the request is shared with it and not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRecord {
    /// The address that the connection came from; `X-Forwarded-*` is ignored.
    pub client: IpAddr,
    /// The method.
    pub method: Method,
    /// The request target as it came.
    pub uri: Uri,
    /// The version of HTTP.
    pub version: Version,
    /// `User-Agent`.
    pub user_agent: Option<HeaderValue>,
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
