//! From the wire's records to the lines of the access log.

use super::StartError;
use crate::clock;
use crate::config::{Settings, exit_code};
use crate::http;
use crate::telemetry::{AccessLog, AccessRecord};
use std::sync::Arc;

/// Opens the access log; `None` when it is switched off.
///
/// # Errors
/// When its file cannot be opened, by path.
pub(super) fn open(settings: &Settings) -> Result<Option<http::AccessLog>, StartError> {
    if !settings.access_log.enabled {
        return Ok(None);
    }
    let log = AccessLog::open(&settings.access_log).map_err(|error| {
        let path = settings.access_log.path.display();
        StartError::new(exit_code::of_data_error(&error), format!("{path}: {error}"))
    })?;
    Ok(Some(Arc::new(move |record| write(&log, &record))))
}

fn write(log: &AccessLog, record: &http::AccessRecord) {
    let total_ms = record.latency.as_millis() as u64;
    log.record(&AccessRecord {
        time_ms: clock::wall_ms().saturating_sub(total_ms),
        client: &record.client.to_string(),
        method: &record.method,
        uri: &record.uri,
        agent: record.user_agent.as_deref(),
        status: record.status,
        request_bytes: record.request_bytes,
        response_bytes: record.response_bytes,
        trace_token: None,
        protocol: &record.protocol,
        dispatch_ms: 0,
        total_ms,
    });
}
