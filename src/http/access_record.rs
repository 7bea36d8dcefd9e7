//! The record of one request, for the access log.

use http::{HeaderValue, Method, Uri, Version};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// One answered request. Fields that come from the request share the request's buffers, so nothing
/// is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRecord {
    /// The address of the connection's client; `X-Forwarded-*` is ignored.
    pub client: IpAddr,
    /// The request method.
    pub method: Method,
    /// The request target, as received.
    pub uri: Uri,
    /// The HTTP version.
    pub version: Version,
    /// The value of `User-Agent`.
    pub user_agent: Option<HeaderValue>,
    /// The status of the response.
    pub status: u16,
    /// The `Content-Length` of the request; 0 if the body is missing or chunked.
    pub request_bytes: u64,
    /// The length of the response body.
    pub response_bytes: u64,
    /// The time from the request's head to the response's head.
    pub latency: Duration,
}

/// A callback that receives each record. The callback runs in the request's task, and must not
/// block.
pub type AccessLog = Arc<dyn Fn(HttpRecord) + Send + Sync>;
