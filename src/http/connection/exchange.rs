//! The handling of one request of a connection, and its record in the access log.

use super::idle::ConnectionState;
use super::lingering_body::LingeringBody;
use crate::clock::now;
use crate::http::access_record::{AccessLog, HttpRecord};
use crate::http::backend::Backend;
use crate::http::connection_limiter::ConnectionPermit;
use crate::http::service::{Answering, RootService};
use crate::http::state::ConnectionInfo;
use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, USER_AGENT};
use http::{Request, Version};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use std::sync::Arc;
use std::time::Duration;

/// The state that all connections share.
pub(super) struct ServerContext<D> {
    pub(super) service: RootService<D>,
    pub(super) access_log: Option<AccessLog>,
    pub(super) max_head_bytes: usize,
    pub(super) parked_after: Duration,
}

/// Answers a request. All work that does not wait is done before the future is created. Otherwise,
/// the temporaries of this work would be part of the future, and would occupy memory for each of
/// ten thousand held lookups.
pub(super) fn respond<D: Backend>(
    shared: Arc<ServerContext<D>>,
    state: &Arc<ConnectionState>,
    connection_info: ConnectionInfo,
    permit: ConnectionPermit,
    request: Request<Incoming>,
) -> impl Future<Output = Response> + use<D> {
    let in_flight = state.request(request.version() == Version::HTTP_2);
    permit.busy();
    let started = now();
    let asked = shared
        .access_log
        .is_some()
        .then(|| Box::new(request_record(&connection_info, &request)));
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        // The connection is marked as active before the response, so that a held lookup does not
        // count against the limit of its client's address. Otherwise, 1,024 held lookups would lock
        // out a proxy that serves all engines.
        permit.mark_active();
    }
    let body = match body.is_end_stream() {
        true => Body::empty(),
        false => Body::new(LingeringBody::new(&head.headers, body, state.exchange())),
    };
    let request = Request::from_parts(head, body);
    let Answering {
        response: answered,
        route,
    } = shared
        .service
        .answer(connection_info, permit.clone(), request);
    async move {
        let mut response = answered.await;
        let took = now().duration_since(started);
        shared.service.count(route, &response, took);
        if response.body().size_hint().exact().is_none() {
            // The body is sent in parts, and between two parts the connection would count as idle.
            // `streaming` marks the connection as active until hyper drops the body.
            let streaming = in_flight.streaming();
            response = response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _held = &streaming;
                    frame
                }))
            });
        }
        drop(in_flight);
        permit.mark_active();
        if let (Some(log), Some(asked)) = (&shared.access_log, asked) {
            log(record(*asked, &response, took));
        }
        response
    }
}

/// Begins the access log's record of a request.
fn request_record(connection_info: &ConnectionInfo, request: &Request<Incoming>) -> HttpRecord {
    let length = request.headers().get(CONTENT_LENGTH);
    HttpRecord {
        client: connection_info.address.ip(),
        method: request.method().clone(),
        uri: request.uri().clone(),
        version: request.version(),
        user_agent: request.headers().get(USER_AGENT).cloned(),
        status: 0,
        request_bytes: length
            .and_then(|length| length.to_str().ok()?.parse().ok())
            .unwrap_or(0),
        response_bytes: 0,
        latency: Duration::ZERO,
    }
}

/// Completes the access log's record of a request with its response.
fn record(mut record: HttpRecord, response: &Response, took: Duration) -> HttpRecord {
    record.status = response.status().as_u16();
    record.response_bytes = response.body().size_hint().exact().unwrap_or(0);
    record.latency = took;
    record
}
