//! The check of a request's client, made before anything else is done for the request.
//!
//! `policy` says for each route what the client must prove, and `engine` checks the proofs of
//! engines.

mod engine;
mod policy;

pub(super) use engine::EngineCheck;
pub use engine::EngineSecurity;
pub(super) use policy::{PolicyTable, Rule, Rules};

use super::backend::Backend;
use super::error::ApiError;
use super::state::{AppState, ConnectionInfo};
use http::{HeaderMap, HeaderName, Request};

/// The header in which a browser states from which kind of site a request comes.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Checks whether the client has proved what the rule of the route demands. The path of the request
/// is canonical.
///
/// # Errors
/// The error response, with the reason. Nothing was done for the request.
pub(super) fn check<D: Backend, B>(
    app: &AppState<D>,
    rule: Rule,
    connection_info: ConnectionInfo,
    request: &Request<B>,
) -> Result<(), ApiError> {
    let address = connection_info.address.ip();
    let checked = match rule {
        Rule::Open | Rule::Read => Ok(()),
        Rule::Peer => match app.backend.accepts_plain_peers() {
            true => Ok(()),
            false => Err(ApiError::PeerProofRequired),
        },
        Rule::OwnNode => not_from_a_browser(request.headers()).and_then(|()| {
            app.engines.check(
                address,
                request.method(),
                request.uri().path(),
                request.headers(),
            )
        }),
        Rule::Write => {
            not_from_a_browser(request.headers()).and_then(|()| match app.engines.is_required() {
                false => Ok(()),
                true => Err(ApiError::Forbidden(
                    "Static announcements are closed, because \
                     discovery.announcement.authentication is require and only engines can \
                     prove who they are"
                        .to_owned(),
                )),
            })
        }
    };
    if let Err(error) = &checked {
        app.refusals.note(address, &error.line());
    }
    checked
}

/// Refuses a write that a browser sends for a web page. Otherwise, a stranger's web page could
/// write to nodes in a network that the stranger cannot reach (CVE-2018-1099 of etcd). Engines and
/// commands send neither `Origin` nor `Sec-Fetch-Site`.
fn not_from_a_browser(headers: &HeaderMap) -> Result<(), ApiError> {
    let is_from_browser =
        headers.contains_key(http::header::ORIGIN) || headers.contains_key(SEC_FETCH_SITE);
    match is_from_browser {
        false => Ok(()),
        true => Err(ApiError::Forbidden(
            "A browser sent this write (Origin, Sec-Fetch-Site); only engines and tools may write"
                .to_owned(),
        )),
    }
}
