//! The check of a request's client, made before anything else is done for the request.
//!
//! `policy` says for each route what the client must prove. `engine` checks the tokens of engines,
//! `certificate` the certificates of those without tokens, and `person` the tokens of people and
//! tools.

mod certificate;
mod engine;
mod person;
mod policy;
mod principal;

pub(super) use certificate::ClientCertificate;
pub(super) use engine::EngineCheck;
pub use engine::EngineSecurity;
pub(super) use person::PersonCheck;
pub(super) use policy::{PolicyTable, Rule, Rules};
pub(super) use principal::Principal;

use super::backend::Backend;
use super::error::ApiError;
use super::metrics::Refusal;
use super::state::{AppState, ConnectionInfo};
use crate::model::{Announcement, shown};
use crate::planted::{Bug, is_planted};
use crate::raft::PeerCredentials;
use crate::security::TokenRole;
use http::{HeaderMap, HeaderName, Request};
use person::Scheme;

/// The header in which a browser states from which kind of site a request comes.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Checks whether the client has proved what the rule of the route demands, and returns who it is.
/// The path of the request is canonical.
///
/// # Errors
/// The error response, with the reason. Nothing was done for the request.
pub(super) fn check<D: Backend, B>(
    app: &AppState<D>,
    rule: Rule,
    connection_info: &ConnectionInfo,
    request: &Request<B>,
) -> Result<Principal, ApiError> {
    if is_planted(Bug::PlainListenerUnchecked) && !connection_info.is_https
        || is_planted(Bug::FastWayUnchecked) && rule == Rule::OwnNode
    {
        return Ok(Principal::Anonymous);
    }
    let checked = match rule {
        Rule::Open => Ok(Principal::Anonymous),
        Rule::Peer => match app.backend.accepts_plain_peers() {
            true => Ok(Principal::Anonymous),
            false => Err(ApiError::PeerProofRequired {
                by_certificate: matches!(
                    app.backend.peer_credentials(),
                    Some(PeerCredentials::Certificates(_))
                ),
            }),
        },
        Rule::Read => check_read(app, request).map_err(|error| offering_basic(app, error)),
        Rule::OwnNode => check_announcement(app, connection_info, request),
        Rule::Write => check_write(app, request),
    };
    if let Err(error) = &checked {
        app.metrics.count_refusal(match error {
            ApiError::Unauthenticated(_) | ApiError::UnauthenticatedReader(_) => {
                Refusal::Unauthenticated
            }
            _ => Refusal::Forbidden,
        });
        let sent = format!("{} {}", request.method(), request.uri().path());
        app.refusals
            .note(connection_info.address.ip(), &shown(&sent), &error.line());
    }
    checked
}

/// Checks the client of a lookup, which may be any engine, or anyone with a token.
fn check_read<D: Backend, B>(
    app: &AppState<D>,
    request: &Request<B>,
) -> Result<Principal, ApiError> {
    if !app.settings.reads_need_proof {
        return Ok(Principal::Anonymous);
    }
    let headers = request.headers();
    if let Some(node_id) = app.engines.subject(headers)? {
        return Ok(Principal::Engine(node_id));
    }
    match app.people.sent(headers)? {
        None => Err(ApiError::Unauthenticated(
            "This needs the token of an engine (X-Presto-Internal-Bearer, \
             X-Trino-Internal-Bearer) or of a person (Authorization: Bearer TOKEN), because \
             discovery.read-authentication is require"
                .to_owned(),
        )),
        sent => app.people.check(sent, TokenRole::Read),
    }
}

/// Returns the error of a refused read. If people have tokens, it offers Basic, so that a browser
/// asks its user for a token. Refused writes do not offer Basic, because a browser may not use such
/// a token for them ([`not_by_a_page`]).
fn offering_basic<D: Backend>(app: &AppState<D>, error: ApiError) -> ApiError {
    match error {
        ApiError::Unauthenticated(reason) if app.people.is_on() => {
            ApiError::UnauthenticatedReader(reason)
        }
        other => other,
    }
}

/// Checks the client of an announcement or a withdrawal, which is the engine itself, or someone
/// with a token of the role `write`.
fn check_announcement<D: Backend, B>(
    app: &AppState<D>,
    connection_info: &ConnectionInfo,
    request: &Request<B>,
) -> Result<Principal, ApiError> {
    let headers = request.headers();
    let sent = app.people.sent(headers)?;
    if sent.is_some() || is_from_browser(headers) {
        not_by_a_page(headers, sent.as_ref().map(|sent| sent.scheme))?;
        return app.people.check(sent, TokenRole::Write);
    }
    app.engines.check(
        connection_info.address.ip(),
        connection_info.certificate.as_ref(),
        request.method(),
        request.uri().path(),
        headers,
    )
}

/// Checks the client of a write that is not an engine's own. With tokens, it needs one of the role
/// `write`.
fn check_write<D: Backend, B>(
    app: &AppState<D>,
    request: &Request<B>,
) -> Result<Principal, ApiError> {
    let headers = request.headers();
    let sent = app.people.sent(headers)?;
    not_by_a_page(headers, sent.as_ref().map(|sent| sent.scheme))?;
    if app.people.is_on() {
        return app.people.check(sent, TokenRole::Write);
    }
    match app.engines.is_required() {
        false => Ok(Principal::Anonymous),
        true => Err(ApiError::Forbidden(
            "Static announcements are closed, because discovery.announcement.authentication is \
             require and there are no tokens of people (cluster.tokens-file)"
                .to_owned(),
        )),
    }
}

/// Checks whether the certificate of a client proves that the client is the node that it announces
/// or withdraws. `announced` is the new announcement, if there is one, and `registered` the present
/// one.
///
/// # Errors
/// The reason why the certificate proves nothing.
pub(super) fn check_certificate<D: Backend>(
    app: &AppState<D>,
    connection_info: &ConnectionInfo,
    certificate: &ClientCertificate,
    node_id: &str,
    announced: Option<&Announcement>,
    registered: Option<&Announcement>,
) -> Result<(), String> {
    let checked = match announced {
        Some(announced) => certificate.check(announced, "announced"),
        None => Ok(()),
    };
    let checked = checked.and_then(|()| match registered {
        Some(registered) => certificate.check(registered, "registered"),
        None if announced.is_some() => Ok(()),
        // Nothing proves that the client is the node, which may announce itself right now.
        None => Err(format!(
            "The certificate of {certificate} does not prove that the client is node {}, which is \
             not registered",
            shown(node_id)
        )),
    });
    checked.or_else(|reason| {
        let method = match announced {
            Some(_) => "PUT",
            None => "DELETE",
        };
        let request = format!("{method} /v1/announcement/{}", shown(node_id));
        let address = connection_info.address.ip();
        app.engines
            .refuse_certificate(&app.refusals, address, &request, reason)
    })
}

/// Refuses a write that a browser sends for a web page without a token that the page itself has
/// (`Authorization: Bearer`). Otherwise, a stranger's web page could write to nodes in a network
/// that the stranger cannot reach (CVE-2018-1099 of etcd).
fn not_by_a_page(headers: &HeaderMap, sent: Option<Scheme>) -> Result<(), ApiError> {
    match is_from_browser(headers) && sent != Some(Scheme::Bearer) {
        false => Ok(()),
        true => Err(ApiError::Forbidden(
            "A browser sent this write (Origin, Sec-Fetch-Site) without a token (Authorization: \
             Bearer TOKEN)"
                .to_owned(),
        )),
    }
}

/// Returns whether a browser sends the request for a web page. Engines and commands send neither
/// `Origin` nor `Sec-Fetch-Site`.
fn is_from_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(http::header::ORIGIN) || headers.contains_key(SEC_FETCH_SITE)
}
