//! Answers one request of a connection, and records it in the access log.

use super::idle::Activity;
use super::lingering_body::Lingering;
use crate::clock::{Instant, now};
use crate::http::access_record::{AccessLog, AccessRecord};
use crate::http::backend::Discovery;
use crate::http::connection_limiter::Place;
use crate::http::service::Front;
use crate::http::state::Origin;
use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, USER_AGENT};
use http::{Request, Version};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use std::sync::Arc;
use std::time::Duration;

/// What all connections share.
pub(super) struct Shared<D> {
    pub(super) front: Front<D>,
    pub(super) access_log: Option<AccessLog>,
    pub(super) max_head_bytes: usize,
    pub(super) parked_after: Duration,
}

/// What is done before there is something to wait for is done at once: what it uses would take room for as long as a lookup
/// is held, ten thousand times over.
pub(super) fn answer<D: Discovery>(
    shared: Arc<Shared<D>>,
    activity: &Arc<Activity>,
    origin: Origin,
    place: Place,
    request: Request<Incoming>,
) -> impl Future<Output = Response> + use<D> {
    let in_flight = activity.request(request.version() == Version::HTTP_2);
    place.busy();
    let started = now();
    let asked = shared
        .access_log
        .is_some()
        .then(|| Box::new(asked(origin, &request)));
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        // At once: a lookup that is held would count against its address until it is answered, and 1,024 of them would
        // shut out a proxy that all engines are behind.
        place.prove();
    }
    let body = match body.is_end_stream() {
        true => Body::empty(),
        false => Body::new(Lingering::new(&head.headers, body, activity.exchange())),
    };
    let request = Request::from_parts(head, body);
    let answered = shared.front.answer(origin, place.clone(), request);
    async move {
        let mut response = answered.await;
        if response.body().size_hint().exact().is_none() {
            // It comes by parts, and between two of them the connection only looks idle. Held for as long as hyper keeps the body.
            let streaming = in_flight.streaming();
            response = response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _held = &streaming;
                    frame
                }))
            });
        }
        drop(in_flight);
        place.prove();
        if let (Some(log), Some(asked)) = (&shared.access_log, asked) {
            log(record(*asked, &response, started));
        }
        response
    }
}

fn asked(origin: Origin, request: &Request<Incoming>) -> AccessRecord {
    let length = request.headers().get(CONTENT_LENGTH);
    AccessRecord {
        client: origin.address.ip(),
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

fn record(mut record: AccessRecord, response: &Response, started: Instant) -> AccessRecord {
    record.status = response.status().as_u16();
    record.response_bytes = response.body().size_hint().exact().unwrap_or(0);
    record.latency = now().duration_since(started);
    record
}
