//! Every refusal that a client can see: a status and one line of text, never a trace.

use crate::raft::{Unavailable, WriteError};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, UPGRADE,
};
use http::{HeaderName, HeaderValue, StatusCode};

/// Says of a write that was not acknowledged whether it may have happened all the same.
pub const QUORATE_APPLIED: HeaderName = HeaderName::from_static("quorate-applied");

/// The longest line sent: a refusal quotes what the client sent, and need not quote all of it.
const LINE_MAX_CHARS: usize = 500;

/// Why a request was not served.
///
/// Lower layers know no status codes; each of their errors is given one here, by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 400 with the text, which names the field.
    BadRequest(String),
    /// 404.
    NotFound,
    /// 405 with the methods of the resource, in alphabetical order.
    MethodNotAllowed(&'static str),
    /// 406: a resource that is JSON only was asked for as something else.
    NotAcceptable,
    /// 406: a stream of events was asked for as something else.
    NoEventStream,
    /// 408: the body did not come in time.
    BodyTimeout,
    /// 413 with the limit in bytes.
    BodyTooLarge(usize),
    /// 414 with the limit in bytes.
    UriTooLong(usize),
    /// 414 beyond what is read at all.
    UnreadableUri,
    /// 415: not JSON.
    NotJson,
    /// 415: compressed in a way that is not understood.
    UnknownEncoding,
    /// 426: the peer protocol needs its upgrade.
    UpgradeRequired(&'static str),
    /// 431 with the limit in bytes.
    HeadersTooLarge(usize),
    /// 431 beyond what is read at all, or for their number.
    UnreadableHeaders,
    /// 500: nothing the client did; the text says what failed.
    Internal(String),
    /// 503 to a lookup.
    Unavailable(String),
    /// 503: as many clients watch as may.
    TooManyWatchers,
    /// 503 to a write whose body is not read, since others take all the room there is for them.
    TooManyBodies,
    /// 503 to a write that surely did not happen.
    NotApplied(String),
    /// 503 to a write that may have happened.
    Unknown(String),
    /// 503 to what came over a connection from before this process was stopped; it is closed, and nothing was done.
    Woken,
    /// 503 to a client on a connection that is kept for peers; it is closed.
    TooManyConnections,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Refusal::BadRequest(_) => StatusCode::BAD_REQUEST,
            Refusal::NotFound => StatusCode::NOT_FOUND,
            Refusal::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::NotAcceptable | Refusal::NoEventStream => StatusCode::NOT_ACCEPTABLE,
            Refusal::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Refusal::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::UriTooLong(_) | Refusal::UnreadableUri => StatusCode::URI_TOO_LONG,
            Refusal::NotJson | Refusal::UnknownEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::UpgradeRequired(_) => StatusCode::UPGRADE_REQUIRED,
            Refusal::HeadersTooLarge(_) | Refusal::UnreadableHeaders => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Refusal::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::Unavailable(_)
            | Refusal::TooManyWatchers
            | Refusal::TooManyBodies
            | Refusal::NotApplied(_)
            | Refusal::Unknown(_)
            | Refusal::Woken
            | Refusal::TooManyConnections => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn line(&self) -> String {
        match self {
            Refusal::BadRequest(text)
            | Refusal::Internal(text)
            | Refusal::Unavailable(text)
            | Refusal::NotApplied(text)
            | Refusal::Unknown(text) => text.clone(),
            Refusal::NotFound => "Nothing is served at this path".to_owned(),
            Refusal::MethodNotAllowed(allow) => format!("This resource takes only {allow}"),
            Refusal::NotAcceptable => "This resource is application/json only".to_owned(),
            Refusal::NoEventStream => "This resource is text/event-stream only".to_owned(),
            Refusal::TooManyWatchers => {
                "As many clients watch on this node as may; another node may have a place"
                    .to_owned()
            }
            Refusal::TooManyBodies => {
                "This node holds as many bytes of request bodies as it may; send it again"
                    .to_owned()
            }
            Refusal::BodyTimeout => "The request body did not arrive in time".to_owned(),
            Refusal::BodyTooLarge(limit) => {
                format!("The request body is larger than {limit} bytes")
            }
            Refusal::UriTooLong(limit) => {
                format!("The request target is longer than {limit} bytes")
            }
            Refusal::UnreadableUri => "The request target is too long".to_owned(),
            Refusal::UnreadableHeaders => {
                "The request headers are too large, or too many".to_owned()
            }
            Refusal::NotJson => {
                "The request body must have Content-Type: application/json".to_owned()
            }
            Refusal::UnknownEncoding => {
                "The request body may have Content-Encoding gzip or none".to_owned()
            }
            Refusal::UpgradeRequired(protocol) => {
                format!("This resource needs Upgrade: {protocol}")
            }
            Refusal::HeadersTooLarge(limit) => {
                format!("The request headers are larger than {limit} bytes")
            }
            Refusal::Woken => {
                "This node was stopped and has just woken; the request may be old, send it again"
                    .to_owned()
            }
            Refusal::TooManyConnections => "This node has too many connections".to_owned(),
        }
    }

    fn extra_headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let fixed = HeaderValue::from_static;
        let retry = (RETRY_AFTER, fixed("1"));
        match self {
            Refusal::MethodNotAllowed(allow) => vec![(ALLOW, fixed(allow))],
            Refusal::NotJson => vec![(ACCEPT, fixed("application/json"))],
            Refusal::UnknownEncoding => vec![(ACCEPT_ENCODING, fixed("gzip"))],
            Refusal::UpgradeRequired(protocol) => {
                vec![(UPGRADE, fixed(protocol)), (CONNECTION, fixed("Upgrade"))]
            }
            Refusal::BodyTimeout | Refusal::BodyTooLarge(_) => vec![(CONNECTION, fixed("close"))],
            Refusal::Unavailable(_) | Refusal::TooManyWatchers => vec![retry],
            Refusal::NotApplied(_) | Refusal::TooManyBodies => {
                vec![retry, (QUORATE_APPLIED, fixed("no"))]
            }
            Refusal::Unknown(_) => vec![retry, (QUORATE_APPLIED, fixed("unknown"))],
            Refusal::Woken | Refusal::TooManyConnections => {
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

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(refusal_line(&self)));
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

impl From<Unavailable> for Refusal {
    fn from(error: Unavailable) -> Refusal {
        Refusal::Unavailable(error.reason)
    }
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Refusal {
        match error {
            WriteError::Refused(reason) => Refusal::BadRequest(reason),
            WriteError::NotApplied(reason) => Refusal::NotApplied(reason),
            WriteError::Unknown(reason) => Refusal::Unknown(reason),
        }
    }
}

/// The body of a refusal.
pub(super) fn refusal_line(refusal: &Refusal) -> String {
    one_line(&refusal.line())
}

/// The text without control characters, so that nothing a client sent can make a second line of it, and its newline.
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

    /// What a client sent cannot break the one line, nor make it long.
    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(one_line("a\r\nb\u{1b}"), "a  b \n");
        assert_eq!(one_line(&"x".repeat(10_000)).len(), LINE_MAX_CHARS + 1);
    }

    /// A write that was not acknowledged always says whether it may have happened.
    #[test]
    fn an_unacknowledged_write_says_its_fate() {
        let fate = |refusal: Refusal| {
            let response = refusal.into_response();
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()["retry-after"], "1");
            response.headers()[QUORATE_APPLIED]
                .to_str()
                .map(str::to_owned)
                .expect("ascii")
        };
        assert_eq!(fate(WriteError::NotApplied("x".into()).into()), "no");
        assert_eq!(fate(WriteError::Unknown("x".into()).into()), "unknown");
        assert_eq!(fate(Refusal::Woken), "no");
        assert_eq!(fate(Refusal::TooManyBodies), "no");
    }
}
