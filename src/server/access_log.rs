//! Conversion of the HTTP server's records to lines of the access log.

use super::error::ServerError;
use crate::clock;
use crate::config::Settings;
use crate::http;
use crate::telemetry::{AccessLog, AccessRecord};
use ::http::{Uri, Version};
use std::borrow::Cow;
use std::sync::Arc;

/// Opens the access log. Returns `None` if it is disabled.
///
/// # Errors
/// Fails when the file of the log cannot be opened. The error names the path.
pub(super) fn open(settings: &Settings) -> Result<Option<http::AccessLog>, ServerError> {
    if !settings.access_log.enabled {
        return Ok(None);
    }
    let log = AccessLog::open(&settings.access_log).map_err(|source| ServerError::AccessLog {
        path: settings.access_log.path.display().to_string(),
        source,
    })?;
    Ok(Some(Arc::new(move |record| write(&log, &record))))
}

/// Writes the line of one request to the access log.
fn write(log: &AccessLog, record: &http::HttpRecord) {
    let total_ms = record.latency.as_millis() as u64;
    let agent = record.user_agent.as_ref();
    log.record(&AccessRecord {
        time_ms: clock::wall_ms().saturating_sub(total_ms),
        client: &record.client.to_canonical().to_string(),
        method: record.method.as_str(),
        uri: &target(&record.uri),
        agent: agent.and_then(|agent| agent.to_str().ok()),
        status: record.status,
        request_bytes: record.request_bytes,
        response_bytes: record.response_bytes,
        trace_token: None,
        protocol: protocol(record.version),
        dispatch_ms: 0,
        total_ms,
    });
}

/// Returns the request target as received: a path, or a whole URI over HTTP/2 and through proxies.
fn target(uri: &Uri) -> Cow<'_, str> {
    match (uri.authority(), uri.path_and_query()) {
        (None, Some(path)) => Cow::Borrowed(path.as_str()),
        _ => Cow::Owned(uri.to_string()),
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target is logged as received, in any of its forms.
    #[test]
    fn targets_are_as_they_came() {
        for sent in ["/v1/service/presto?x=%20y", "http://h:80/v1/service", "*"] {
            let uri: Uri = sent.parse().expect("a target");
            assert_eq!(target(&uri), sent);
        }
    }
}
