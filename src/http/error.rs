//! The error responses: each has a status and one line of text, never a stack trace.

use crate::raft::{PROOF_TOKEN, Unavailable, WriteError};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, UPGRADE,
    WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, StatusCode};

/// The header that states, in the response to a failed write, whether the write may have been
/// applied.
pub const QUORATE_APPLIED: HeaderName = HeaderName::from_static("quorate-applied");

/// The challenge for which a browser asks its user for a name and a password (RFC 7617). The
/// password is the token.
const BASIC_CHALLENGE: &str = "Basic realm=\"quorate\", charset=\"UTF-8\"";

/// Maximum length of the line of text, in characters. The line may quote a client's input, and need
/// not quote all of it.
const LINE_MAX_CHARS: usize = 500;

/// The reason why a request was not served.
///
/// Lower layers do not know status codes. Each of their errors is mapped here explicitly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ApiError {
    /// 400 with this text, which names the field or parameter that is wrong.
    BadRequest(String),
    /// 401 with the reason why the client has not proved who it is.
    Unauthenticated(String),
    /// 401 to a read that a person may prove with a token. Offers Basic too, so that a browser asks
    /// its user for the token.
    UnauthenticatedReader(String),
    /// 403 with the reason why the client may not send this request.
    Forbidden(String),
    /// 404.
    NotFound,
    /// 405 with the methods that the resource allows, in alphabetical order.
    MethodNotAllowed(&'static str),
    /// 406: the resource is available only as JSON, which the client does not accept.
    NotAcceptable,
    /// 406: the resource is an event stream, which the client does not accept.
    NoEventStream,
    /// 408: the body did not arrive in time.
    BodyTimeout,
    /// 413 with the limit in bytes.
    BodyTooLarge(usize),
    /// 414 with the limit in bytes.
    UriTooLong(usize),
    /// 414: the target exceeds the maximum that hyper reads.
    UnreadableUri,
    /// 415: the body is not JSON.
    NotJson,
    /// 415: the content coding is not supported.
    UnknownEncoding,
    /// 426: the path is only for connections that are upgraded to this protocol.
    UpgradeRequired(&'static str),
    /// 426: the path is only for peers that prove on a TLS connection who they are.
    PeerProofRequired {
        /// Whether the proof is a certificate, and not the shared secret.
        by_certificate: bool,
    },
    /// 431 with the limit in bytes.
    HeadersTooLarge(usize),
    /// 431: the headers are too large or too many for hyper.
    UnreadableHeaders,
    /// 500 with a text that describes the failure, which is not the client's fault.
    Internal(String),
    /// 503 for a request that is not a write, with the reason.
    Unavailable(String),
    /// 503: the maximum number of watchers is reached.
    TooManyWatchers,
    /// 503 for a write whose body is not read, because the bodies of other requests use up the
    /// budget.
    TooManyBodies,
    /// 503 for a write that was certainly not applied.
    NotApplied(String),
    /// 503 for a write that may have been applied.
    Unknown(String),
    /// 503 for a request on a connection that was opened before this process was suspended. The
    /// connection is closed, and nothing was done.
    ProcessResumed,
    /// 503 for a client on a connection that is reserved for peers. The connection is closed.
    TooManyConnections,
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            ApiError::BadRequest(_) => StatusCode::BAD_REQUEST,
            ApiError::Unauthenticated(_) | ApiError::UnauthenticatedReader(_) => {
                StatusCode::UNAUTHORIZED
            }
            ApiError::Forbidden(_) => StatusCode::FORBIDDEN,
            ApiError::NotFound => StatusCode::NOT_FOUND,
            ApiError::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            ApiError::NotAcceptable | ApiError::NoEventStream => StatusCode::NOT_ACCEPTABLE,
            ApiError::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            ApiError::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            ApiError::UriTooLong(_) | ApiError::UnreadableUri => StatusCode::URI_TOO_LONG,
            ApiError::NotJson | ApiError::UnknownEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ApiError::UpgradeRequired(_) | ApiError::PeerProofRequired { .. } => {
                StatusCode::UPGRADE_REQUIRED
            }
            ApiError::HeadersTooLarge(_) | ApiError::UnreadableHeaders => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            ApiError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            ApiError::Unavailable(_)
            | ApiError::TooManyWatchers
            | ApiError::TooManyBodies
            | ApiError::NotApplied(_)
            | ApiError::Unknown(_)
            | ApiError::ProcessResumed
            | ApiError::TooManyConnections => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the line of text of the response.
    pub(super) fn line(&self) -> String {
        match self {
            ApiError::BadRequest(text)
            | ApiError::Unauthenticated(text)
            | ApiError::UnauthenticatedReader(text)
            | ApiError::Forbidden(text)
            | ApiError::Internal(text)
            | ApiError::Unavailable(text)
            | ApiError::NotApplied(text)
            | ApiError::Unknown(text) => text.clone(),
            ApiError::NotFound => "Nothing is served at this path".to_owned(),
            ApiError::MethodNotAllowed(allow) => format!("This resource allows only {allow}"),
            ApiError::NotAcceptable => {
                "This resource is available only as application/json".to_owned()
            }
            ApiError::NoEventStream => {
                "This resource is available only as text/event-stream".to_owned()
            }
            ApiError::TooManyWatchers => {
                "This node has too many watchers; try another node".to_owned()
            }
            ApiError::TooManyBodies => {
                "This node is at its limit for request bodies in memory; send the request again"
                    .to_owned()
            }
            ApiError::BodyTimeout => "The request body did not arrive in time".to_owned(),
            ApiError::BodyTooLarge(limit) => {
                format!("The request body is larger than {limit} bytes")
            }
            ApiError::UriTooLong(limit) => {
                format!("The request target is longer than {limit} bytes")
            }
            ApiError::UnreadableUri => "The request target is too long".to_owned(),
            ApiError::UnreadableHeaders => {
                "The request headers are too large, or too many".to_owned()
            }
            ApiError::NotJson => {
                "The request body must have Content-Type: application/json".to_owned()
            }
            ApiError::UnknownEncoding => {
                "The request body must be uncompressed or have Content-Encoding: gzip".to_owned()
            }
            ApiError::UpgradeRequired(protocol) => {
                format!("This resource requires Upgrade: {protocol}")
            }
            ApiError::PeerProofRequired { by_certificate } => match by_certificate {
                true => {
                    "This node takes only peers that show a certificate \
                     (cluster.peer-authentication=certificate)"
                }
                false => {
                    "This node takes only peers that prove the shared secret \
                     (cluster.peer-authentication=require)"
                }
            }
            .to_owned(),
            ApiError::HeadersTooLarge(limit) => {
                format!("The request headers are larger than {limit} bytes")
            }
            ApiError::ProcessResumed => {
                "This node was suspended and has just resumed; the request may be old, send it \
                 again"
                    .to_owned()
            }
            ApiError::TooManyConnections => "This node has too many connections".to_owned(),
        }
    }

    fn extra_headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let fixed = HeaderValue::from_static;
        let retry = (RETRY_AFTER, fixed("1"));
        match self {
            ApiError::MethodNotAllowed(allow) => vec![(ALLOW, fixed(allow))],
            ApiError::Unauthenticated(_) => vec![
                (WWW_AUTHENTICATE, fixed("Bearer")),
                (QUORATE_APPLIED, fixed("no")),
            ],
            ApiError::UnauthenticatedReader(_) => vec![
                (WWW_AUTHENTICATE, fixed("Bearer")),
                (WWW_AUTHENTICATE, fixed(BASIC_CHALLENGE)),
                (QUORATE_APPLIED, fixed("no")),
            ],
            ApiError::Forbidden(_) => vec![(QUORATE_APPLIED, fixed("no"))],
            ApiError::NotJson => vec![(ACCEPT, fixed("application/json"))],
            ApiError::UnknownEncoding => vec![(ACCEPT_ENCODING, fixed("gzip"))],
            ApiError::UpgradeRequired(protocol) => {
                vec![(UPGRADE, fixed(protocol)), (CONNECTION, fixed("Upgrade"))]
            }
            ApiError::PeerProofRequired { .. } => {
                vec![
                    (UPGRADE, fixed(PROOF_TOKEN)),
                    (CONNECTION, fixed("Upgrade")),
                ]
            }
            ApiError::BodyTimeout | ApiError::BodyTooLarge(_) => vec![(CONNECTION, fixed("close"))],
            ApiError::Unavailable(_) | ApiError::TooManyWatchers => vec![retry],
            ApiError::NotApplied(_) | ApiError::TooManyBodies => {
                vec![retry, (QUORATE_APPLIED, fixed("no"))]
            }
            ApiError::Unknown(_) => vec![retry, (QUORATE_APPLIED, fixed("unknown"))],
            ApiError::ProcessResumed | ApiError::TooManyConnections => {
                vec![
                    retry,
                    (QUORATE_APPLIED, fixed("no")),
                    (CONNECTION, fixed("close")),
                ]
            }
            _ => Vec::new(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(error_line(&self)));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.extend(self.extra_headers());
        response
    }
}

impl From<Unavailable> for ApiError {
    fn from(error: Unavailable) -> ApiError {
        ApiError::Unavailable(error.to_string())
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> ApiError {
        match error {
            WriteError::Refused(reason) => ApiError::BadRequest(reason),
            WriteError::NotPermitted(reason) => ApiError::Forbidden(reason),
            WriteError::NotApplied(reason) => ApiError::NotApplied(reason.to_string()),
            WriteError::Unknown(reason) => ApiError::Unknown(reason.to_string()),
        }
    }
}

/// Renders the body of an error response, one line of text.
pub(super) fn error_line(error: &ApiError) -> String {
    one_line(&error.line())
}

/// Returns the text as one line, with its newline. Control characters become spaces, so that a
/// client's input cannot add a second line.
fn one_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .take(LINE_MAX_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's input can neither split the line of an error response nor make it longer than
    /// `LINE_MAX_CHARS`.
    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(one_line("a\r\nb\u{1b}"), "a  b \n");
        assert_eq!(one_line(&"x".repeat(10_000)).len(), LINE_MAX_CHARS + 1);
    }

    /// The response to an unacknowledged write always states whether the write may have been
    /// applied.
    #[test]
    fn an_unacknowledged_write_says_its_fate() {
        let fate = |error: ApiError| {
            let response = error.into_response();
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()["retry-after"], "1");
            response.headers()[QUORATE_APPLIED]
                .to_str()
                .map(str::to_owned)
                .expect("ascii")
        };
        let stopping = Unavailable::Stopping;
        assert_eq!(fate(WriteError::NotApplied(stopping.clone()).into()), "no");
        assert_eq!(fate(WriteError::Unknown(stopping).into()), "unknown");
        assert_eq!(fate(ApiError::ProcessResumed), "no");
        assert_eq!(fate(ApiError::TooManyBodies), "no");
    }
}
