//! A target for whole requests: method, target, headers and body, in a text similar to HTTP/1.1.

use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use quorate::http::fuzzing::Wire;
use serde_json::Value;
use std::cell::RefCell;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static WIRE: RefCell<(Runtime, Wire)> = RefCell::new(started());
}

fn started() -> (Runtime, Wire) {
    // With paused time, sleeps return immediately, so that a wait of a minute costs nothing.
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without a thread of its own");
    let wire = runtime.block_on(async { Wire::start() });
    (runtime, wire)
}

/// Parses and sends a request, and checks the response. `text` consists of a line `METHOD target`,
/// lines `name: value`, an empty line, and the body.
pub(crate) fn request(text: &[u8]) {
    let Some(request) = parse(text) else { return };
    let (path, has_body) = (
        request.uri().path().to_owned(),
        request.method() != Method::HEAD,
    );
    WIRE.with_borrow(|(runtime, wire)| {
        let answer = runtime.block_on(wire.answer(request)).expect("a place");
        let (status, is_json) = (answer.status(), is_json(&answer));
        if !has_body || is_stream(&answer) {
            return;
        }
        let body = runtime.block_on(to_bytes(answer.into_body(), usize::MAX));
        let body = body.expect("a whole body");
        if is_json {
            serde_json::from_slice::<Value>(&body).expect("JSON, as it says");
        }
        let says = String::from_utf8_lossy(&body);
        // No coordinator is registered, so a 503 with this reason is expected.
        let no_coordinator =
            status == StatusCode::SERVICE_UNAVAILABLE && says.contains("coordinator");
        assert!(
            !status.is_server_error() || no_coordinator,
            "{status} for {path:?}: {says}"
        );
    });
}

fn is_stream(answer: &Response) -> bool {
    answer
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value == "text/event-stream")
}

fn is_json(answer: &Response) -> bool {
    let headers = answer.headers();
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value == "application/json")
        && !headers.contains_key(CONTENT_ENCODING)
}

/// Parses the text of a request. Returns `None` if it is not a request.
fn parse(text: &[u8]) -> Option<Request<Body>> {
    let (head, body) = match text.windows(2).position(|two| two == b"\n\n") {
        Some(end) => (&text[..end], &text[end + 2..]),
        None => (text, &[][..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut first = lines.next()?.splitn(2, |byte| *byte == b' ');
    let mut request = Request::new(Body::from(body.to_vec()));
    *request.method_mut() = Method::from_bytes(first.next()?).ok()?;
    *request.uri_mut() = Uri::try_from(first.next()?).ok()?;
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..at]).ok()?;
        let value = HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?;
        request.headers_mut().append(name, value);
    }
    // A missing `Host` header is added, since its absence alone would make the server refuse the
    // request.
    let host = request.headers_mut().entry(HOST);
    host.or_insert(HeaderValue::from_static("h"));
    Some(request)
}
