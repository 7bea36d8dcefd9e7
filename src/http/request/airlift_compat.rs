//! The quirks of airlift's server on which airlift's clients depend. Each item gives the reason or
//! the source of a quirk, and the name of its test. `tests/wire/` checks each quirk against real
//! clusters too.
//!
//! - A trailing slash is ignored, because JuiceFS requests `/v1/service/presto/`. Test:
//!   `slashes_collapse`.
//! - Double slashes count as one. prestodb's fork requests `//v1/service/..` if its `discovery.uri`
//!   ends in `/`. Test: `slashes_collapse`.
//! - `;name=value` in a segment is dropped as a JAX-RS matrix parameter, but `%3B` is not. Test:
//!   `matrix_parameters_are_dropped`.
//! - `Allow` of a 405 response lists OPTIONS and not HEAD. `Allow` of a response to OPTIONS lists
//!   both. The source is Jersey's recorded responses. Test: `tests/wire/rules.json`.
//! - A body without a `Content-Type` is rejected with 415, and a request without a body with 400.
//!   The source is Jersey's recorded responses. Test:
//!   `body::tests::content_type_comes_before_the_body`.
//! - `*` alone and `q=.2` are accepted, because `java.net.URL` sends `Accept: text/html, *; q=.2`.
//!   Test: `content_negotiation::tests`.
//! - JSON responses have `X-Content-Type-Options: nosniff`, which airlift's JSON writer adds. Test:
//!   `tests::server::json_is_not_sniffed`.
//! - The node id in the path is used, and the id in the body is ignored. The location may be
//!   missing, and scalars count as strings. C++ workers send such announcements. Test:
//!   `crate::model`.
//!
//! `?jsonp=` and `?pretty` are not supported, because no client sends them. `/v1/store` is not
//! supported, because only airlift's own servers use it.

use http::header::X_CONTENT_TYPE_OPTIONS;
use http::{HeaderName, HeaderValue};
use std::borrow::Cow;
use thiserror::Error;

/// The `Content-Type` of every JSON response.
pub(in crate::http) const JSON: &str = "application/json";

/// The header that every JSON response has.
pub(in crate::http) const NO_SNIFF: (HeaderName, HeaderValue) =
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));

/// The error for a path with a percent sign that encodes nothing, or encodes bytes that are not
/// UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("The path is not valid percent-encoded UTF-8")]
pub(in crate::http) struct BadPath;

/// Returns the path in the form that the router expects, which has one slash between segments, no
/// slash at the end, and no matrix parameters. Percent-encodings stay encoded, because the router
/// decodes each segment.
///
/// # Errors
/// Fails if a percent-encoding is malformed.
pub(in crate::http) fn canonical_path(raw: &str) -> Result<Cow<'_, str>, BadPath> {
    check_encoding(raw)?;
    if is_canonical(raw) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut path = String::with_capacity(raw.len());
    for segment in raw
        .split('/')
        .map(without_matrix)
        .filter(|segment| !segment.is_empty())
    {
        path.push('/');
        path.push_str(segment);
    }
    if path.is_empty() {
        path.push('/');
    }
    Ok(Cow::Owned(path))
}

fn is_canonical(path: &str) -> bool {
    path == "/"
        || (path.starts_with('/')
            && !path.ends_with('/')
            && !path.contains("//")
            && !path.contains(';'))
}

fn without_matrix(segment: &str) -> &str {
    segment
        .split_once(';')
        .map_or(segment, |(segment, _)| segment)
}

/// Checks that each percent sign encodes a byte, and that each decoded segment is UTF-8.
fn check_encoding(path: &str) -> Result<(), BadPath> {
    if !path.contains('%') {
        return Ok(());
    }
    let mut after_percent = path.split('%');
    after_percent.next();
    let is_hex =
        |rest: &str| rest.len() >= 2 && rest.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit);
    if !after_percent.all(is_hex) {
        return Err(BadPath);
    }
    let utf8 = |segment| {
        percent_encoding::percent_decode_str(segment)
            .decode_utf8()
            .is_ok()
    };
    if path.split('/').all(utf8) {
        Ok(())
    } else {
        Err(BadPath)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(raw: &str) -> String {
        canonical_path(raw).expect("a good path").into_owned()
    }

    /// Double slashes and trailing slashes are ignored, in every position.
    #[test]
    fn slashes_collapse() {
        for raw in [
            "/v1/service/presto",
            "//v1/service/presto/",
            "/v1//service///presto//",
        ] {
            assert_eq!(canonical(raw), "/v1/service/presto");
        }
        for raw in ["/", "//", ""] {
            assert_eq!(canonical(raw), "/");
        }
    }

    /// A matrix parameter is not part of a segment; an encoded semicolon is.
    #[test]
    fn matrix_parameters_are_dropped() {
        assert_eq!(
            canonical("/v1/service;a=b/presto;x=y;z"),
            "/v1/service/presto"
        );
        assert_eq!(canonical("/v1/service/;x=y"), "/v1/service");
        assert_eq!(canonical("/v1/service/a%3Bb"), "/v1/service/a%3Bb");
    }

    /// Valid encodings stay unchanged, for the router to decode once.
    #[test]
    fn encodings_are_left_to_the_router() {
        for raw in [
            "/v1/service/sp%20ace%2Fx",
            "/v1/service/%2525",
            "/v1/service/caf%C3%A9",
            "/v1/service/café",
        ] {
            assert_eq!(canonical(raw), raw);
        }
    }

    /// A percent sign must encode a byte, and the bytes of a segment must be UTF-8.
    #[test]
    fn bad_encodings_are_refused() {
        for raw in [
            "/v1/%",
            "/v1/%2",
            "/v1/%zz",
            "/v1/a%2/b",
            "/v1/%ff",
            "/v1/%C3/%A9",
            "/%é",
            "/v1/%+1",
        ] {
            assert_eq!(canonical_path(raw), Err(BadPath), "{raw}");
        }
    }
}
