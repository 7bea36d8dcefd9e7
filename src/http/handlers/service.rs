//! `/v1/service`: lookups of the announced services, answered immediately or once their result
//! changes. The bytes come from [`crate::registry::Registry::lookup`], which renders them once for
//! all readers.

use crate::clock::{Instant, now};
use crate::http::backend::Backend;
use crate::http::error::ApiError;
use crate::http::metrics::Held;
use crate::http::request::airlift_compat::JSON;
use crate::http::request::content_negotiation::{accepts_json, wants_gzip};
use crate::http::request::etag::{self, TagMatch};
use crate::http::request::query::Asked;
use crate::http::respond::large;
use crate::http::state::{App, QUORATE_INDEX};
use crate::model::Lookup;
use crate::raft::LookupResult;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use std::time::Duration;

/// The header that marks the response to a lookup with `consistency=stale` as possibly stale.
pub const QUORATE_CONSISTENCY: HeaderName = HeaderName::from_static("quorate-consistency");

/// Interval until the next lookup of airlift's clients. This interval is sent if that lookup can be
/// held. 1 s is the shortest interval that these clients accept. The clients treat 0 as absent, and
/// wait 10 s (`HttpDiscoveryLookupClient`).
const SOON: HeaderValue = HeaderValue::from_static("max-age=1");
/// Interval until the next lookup of airlift's clients. This interval is sent if that lookup cannot
/// be held. 10 s is the clients' own default. With 1 s, the clients would send ten times as many
/// lookups, also while all permits for held lookups are taken.
const LATER: HeaderValue = HeaderValue::from_static("max-age=10");

/// Capacity reserved for all headers of a 200 response, including those that hyper adds.
const WHOLE_HEADERS: usize = 12;

/// Returns the lookup of a `GET` that takes the shortcut past the router. The shortcut is for
/// canonical paths with nothing to decode, which most requests have. Returns `None` for all other
/// requests. Routing would be a considerable part of the cost of a small response.
pub(in crate::http) fn direct_lookup(request: &Request<Body>) -> Option<Lookup> {
    let path = request.uri().path();
    let below = path.strip_prefix("/v1/service")?;
    if request.method() != Method::GET || below.contains('%') {
        return None;
    }
    let mut segments = below.split('/');
    // The text before the first slash is empty, except for a path that only begins like the prefix,
    // such as `/v1/services`.
    let "" = segments.next()? else {
        return None;
    };
    match (segments.next(), segments.next(), segments.next()) {
        (None, ..) => Some(Lookup::All),
        (Some(of_type), None, _) => Some(Lookup::Type(of_type.to_owned())),
        (Some(of_type), Some(pool), None) => {
            Some(Lookup::TypeAndPool(of_type.to_owned(), pool.to_owned()))
        }
        _ => None,
    }
}

/// Answers a `GET` that takes the shortcut ([`direct_lookup`]).
pub(in crate::http) fn answer<D: Backend>(
    app: App<D>,
    lookup: Lookup,
    request: Request<Body>,
) -> BoxFuture<'static, Response> {
    let (head, _) = request.into_parts();
    let asked = Asked::of(&head.uri);
    let (method, headers) = (head.method, head.headers);
    let answered = async move { serve(&app, lookup, asked?, &method, &headers).await };
    answered.map(IntoResponse::into_response).boxed()
}

/// Handles `GET /v1/service`: looks up all services.
pub(in crate::http) async fn all<D: Backend>(
    State(app): State<App<D>>,
    asked: Asked,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    serve(&app, Lookup::All, asked, &method, &headers).await
}

/// Handles `GET /v1/service/{type}`: looks up the services of a type.
pub(in crate::http) async fn by_type<D: Backend>(
    State(app): State<App<D>>,
    Path(service_type): Path<String>,
    asked: Asked,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    serve(&app, Lookup::Type(service_type), asked, &method, &headers).await
}

/// Handles `GET /v1/service/{type}/{pool}`: looks up the services of a type in a pool.
pub(in crate::http) async fn by_type_and_pool<D: Backend>(
    State(app): State<App<D>>,
    Path((service_type, pool)): Path<(String, String)>,
    asked: Asked,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let lookup = Lookup::TypeAndPool(service_type, pool);
    serve(&app, lookup, asked, &method, &headers).await
}

/// Runs a lookup and responds 200 with its result, or 304 if the client has that result.
///
/// - With `?index=`, waits for a change after that index.
/// - If the request carries the current tag, holds the lookup.
async fn serve<D: Backend>(
    app: &App<D>,
    lookup: Lookup,
    asked: Asked,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    if !accepts_json(headers) {
        return Err(ApiError::NotAcceptable);
    }
    let may_wait = *method == Method::GET;
    if let Asked::After { index, wait } = asked
        && may_wait
    {
        let waited = Box::pin(after(app, &lookup, index, now() + wait)).await;
        let answer = match waited {
            Ok(answer) => answer,
            Err(error) => return Ok(held(error.into_response())),
        };
        app.make(&answer, wants_gzip(headers)).await?;
        return Ok(held(ok_response(&answer, headers)));
    }
    let answer = at_once(app, &lookup, asked).await?;
    // Renders the bytes and their tag, but not gzip yet, because the client may already have the
    // result.
    app.make(&answer, false).await?;
    let may_hold = asked == Asked::Now && app.settings.hold_time_ms > 0;
    let known = etag::match_tag(headers, answer.rendered.tag());
    let is_held = may_hold && may_wait && known == TagMatch::Current;
    let (answer, has_permit) = if is_held {
        // This future is boxed, like the wait for an index above. Otherwise, both would make the
        // future of every lookup larger.
        match Box::pin(hold(app, &lookup, answer)).await {
            Ok(result) => result,
            Err(error) => return Ok(held(error.into_response())),
        }
    } else {
        (answer, app.holds.available_permits() > 0)
    };
    let mut response = match etag::match_tag(headers, answer.rendered.tag()) {
        TagMatch::None => {
            app.make(&answer, wants_gzip(headers)).await?;
            ok_response(&answer, headers)
        }
        TagMatch::Current | TagMatch::Any => unchanged(&answer),
    };
    let next = if may_hold && has_permit { SOON } else { LATER };
    let tag = etag::header(&answer.rendered, wants_gzip(headers));
    // A 304 has both headers too, because airlift's client reads them from a 304 as well.
    response.headers_mut().insert(ETAG, tag);
    response.headers_mut().insert(CACHE_CONTROL, next);
    mark(&mut response, asked);
    match is_held && has_permit {
        true => Ok(held(response)),
        false => Ok(response),
    }
}

/// Marks the response to a lookup that has waited for a change.
fn held(mut response: Response) -> Response {
    response.extensions_mut().insert(Held);
    response
}

/// Responds to a lookup immediately, with the bytes that all readers of the same state share, plain
/// or gzip.
pub(in crate::http) async fn look_up<D: Backend>(
    app: &App<D>,
    lookup: Lookup,
    asked: Asked,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    if !accepts_json(headers) {
        return Err(ApiError::NotAcceptable);
    }
    let answer = at_once(app, &lookup, asked).await?;
    app.make(&answer, wants_gzip(headers)).await?;
    let mut response = ok_response(&answer, headers);
    mark(&mut response, asked);
    Ok(response)
}

/// Runs a lookup without waiting for a change: from local state for `consistency=stale`, and
/// linearizable otherwise.
async fn at_once<D: Backend>(
    app: &App<D>,
    lookup: &Lookup,
    asked: Asked,
) -> Result<LookupResult, ApiError> {
    match asked {
        Asked::Stale => Ok(app.backend.lookup_stale(lookup)?),
        Asked::Now | Asked::After { .. } => app.look_up(lookup).await,
    }
}

/// Holds a lookup whose current result the client has, until the result changes or the hold time
/// has passed. Returns the result, and whether there was a permit to hold the lookup.
async fn hold<D: Backend>(
    app: &App<D>,
    lookup: &Lookup,
    answer: LookupResult,
) -> Result<(LookupResult, bool), ApiError> {
    // Without a permit, the lookup is answered immediately. An engine would treat a 503 as an
    // error.
    let Ok(_permit) = app.holds.try_acquire() else {
        return Ok((answer, false));
    };
    let tag = answer.rendered.tag();
    let has = |now: &LookupResult| now.rendered.tag() == tag;
    let until = now() + Duration::from_millis(app.settings.hold_time_ms);
    let answer = app.hold(lookup, has, until).await?;
    Ok((answer, true))
}

/// Waits until the result of a lookup has changed after a log index, or until `until`. Does not
/// wait if this node has not reached the index even after a linearizable read, because such an
/// index belongs to another cluster, or to a state that was lost with all disks.
async fn after<D: Backend>(
    app: &App<D>,
    lookup: &Lookup,
    index: u64,
    until: Instant,
) -> Result<LookupResult, ApiError> {
    let answer = app.look_up(lookup).await?;
    if answer.changed_index > index || index > answer.index {
        return Ok(answer);
    }
    let Ok(_permit) = app.watchers.try_acquire() else {
        return Err(ApiError::TooManyWatchers);
    };
    app.hold(lookup, |now| now.changed_index <= index, until)
        .await
}

/// Returns a 200 response with the result of a lookup, compressed if the client accepts gzip.
fn ok_response(answer: &LookupResult, headers: &HeaderMap) -> Response {
    let gzip = wants_gzip(headers);
    let bytes = if gzip {
        answer.rendered.gzip()
    } else {
        answer.rendered.json().clone()
    };
    let mut response = Response::new(large::body(bytes));
    let headers = response.headers_mut();
    headers.reserve(WHOLE_HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(QUORATE_INDEX, HeaderValue::from(answer.index));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Returns a 304 response for a client that has the result.
fn unchanged(answer: &LookupResult) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(QUORATE_INDEX, HeaderValue::from(answer.index));
    response
}

/// Adds the header `Quorate-Consistency: stale` to the response to a lookup with
/// `?consistency=stale`, whose result may be old.
fn mark(response: &mut Response, asked: Asked) {
    if asked == Asked::Stale {
        response
            .headers_mut()
            .insert(QUORATE_CONSISTENCY, HeaderValue::from_static("stale"));
    }
}
