//! `/v1/service`: who offers what.

use super::app::{App, QUORATE_INDEX};
use super::compat::JSON;
use super::discovery::Discovery;
use super::errors::Refusal;
use super::negotiate::{accepts_json, wants_gzip};
use crate::model::Lookup;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::Response;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Marks an answer that may be old, as was asked for.
pub const QUORATE_CONSISTENCY: HeaderName = HeaderName::from_static("quorate-consistency");

/// What `?consistency=` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Nothing said, or `linearizable`.
    Linearizable,
    /// `stale`: at once, from what this node holds.
    Stale,
}

impl<S: Sync> FromRequestParts<S> for Freshness {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        freshness(parts.uri.query().unwrap_or(""))
    }
}

fn freshness(query: &str) -> Result<Freshness, Refusal> {
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("consistency="));
    match value {
        None | Some("linearizable") => Ok(Freshness::Linearizable),
        Some("stale") => Ok(Freshness::Stale),
        Some(_) => Err(Refusal::BadRequest(
            "The parameter consistency is linearizable or stale".to_owned(),
        )),
    }
}

/// `GET /v1/service`
pub(super) async fn all<D: Discovery>(
    State(app): State<App<D>>,
    freshness: Freshness,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    look_up(&app, Lookup::All, freshness, &headers).await
}

/// `GET /v1/service/{type}`
pub(super) async fn by_type<D: Discovery>(
    State(app): State<App<D>>,
    Path(service_type): Path<String>,
    freshness: Freshness,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    look_up(&app, Lookup::Type(service_type), freshness, &headers).await
}

/// `GET /v1/service/{type}/{pool}`
pub(super) async fn by_type_and_pool<D: Discovery>(
    State(app): State<App<D>>,
    Path((service_type, pool)): Path<(String, String)>,
    freshness: Freshness,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    look_up(
        &app,
        Lookup::TypeAndPool(service_type, pool),
        freshness,
        &headers,
    )
    .await
}

/// Answers any lookup: the bytes that every reader of the same state shares, plain or gzip.
pub(super) async fn look_up<D: Discovery>(
    app: &App<D>,
    lookup: Lookup,
    freshness: Freshness,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    if !accepts_json(headers) {
        return Err(Refusal::NotAcceptable);
    }
    let answer = match freshness {
        Freshness::Linearizable => {
            app.read(|deadline| app.discovery.lookup(&lookup, deadline))
                .await?
        }
        Freshness::Stale => app.discovery.lookup_stale(&lookup)?,
    };
    let gzip = wants_gzip(headers);
    let bytes = if gzip {
        answer.rendered.gzip()
    } else {
        answer.rendered.json.clone()
    };
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(QUORATE_INDEX, HeaderValue::from(answer.index));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if freshness == Freshness::Stale {
        headers.insert(QUORATE_CONSISTENCY, HeaderValue::from_static("stale"));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stale is only what says stale; a word that is not known is refused, not taken for either.
    #[test]
    fn consistency_is_said_in_full() {
        assert_eq!(freshness(""), Ok(Freshness::Linearizable));
        assert_eq!(
            freshness("pretty&x=consistency=stale"),
            Ok(Freshness::Linearizable)
        );
        assert_eq!(
            freshness("consistency=linearizable"),
            Ok(Freshness::Linearizable)
        );
        assert_eq!(freshness("a=b&consistency=stale"), Ok(Freshness::Stale));
        for bad in ["consistency=", "consistency=Stale", "consistency=eventual"] {
            assert!(
                matches!(freshness(bad), Err(Refusal::BadRequest(_))),
                "{bad}"
            );
        }
    }
}
