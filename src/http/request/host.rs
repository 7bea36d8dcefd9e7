//! The host that a request names: `Host`, and `:authority` of HTTP/2.

use crate::http::error::ApiError;
use http::header::HOST;
use http::{Request, Version};
use std::net::Ipv6Addr;

/// Rejects a request whose host is missing, ambiguous or malformed (RFC 9112, 3.2; RFC 9113,
/// 8.3.1). A proxy between the client and this node may have interpreted such a host differently.
///
/// # Errors
/// Fails with 400 for such a request.
pub(in crate::http) fn check<B>(request: &Request<B>) -> Result<(), ApiError> {
    let bad = |text: &str| Err(ApiError::BadRequest(text.to_owned()));
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    if another.is_some() {
        return bad("The request has more than one Host header");
    }
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    if authority.is_some_and(|authority| authority.contains('@')) {
        return bad("The request target contains a user name");
    }
    let Some(host) = host else {
        return match request.version() {
            Version::HTTP_11 => bad("The request has no Host header"),
            _ => Ok(()),
        };
    };
    if !is_host(host.as_bytes()) {
        return bad("The Host header is not a valid host or host:port");
    }
    let names_another = authority
        .is_some_and(|authority| !authority.as_bytes().eq_ignore_ascii_case(host.as_bytes()));
    // On HTTP/1, an absolute target takes precedence over the header.
    if names_another && request.version() == Version::HTTP_2 {
        return bad("The Host header and :authority differ");
    }
    Ok(())
}

/// Whether a value is a host with an optional port. A host may be empty. A comma, which joins two
/// values of a header, is never part of a host.
fn is_host(value: &[u8]) -> bool {
    let (is_host, port) = match value {
        [b'[', literal @ ..] => {
            let Some(end) = literal.iter().position(|byte| *byte == b']') else {
                return false;
            };
            let (literal, port) = (&literal[..end], &literal[end + 1..]);
            let literal = std::str::from_utf8(literal).unwrap_or_default();
            (literal.parse::<Ipv6Addr>().is_ok(), port)
        }
        _ => {
            let end = value.iter().position(|byte| *byte == b':');
            let (name, port) = value.split_at(end.unwrap_or(value.len()));
            let is_of_name =
                |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(byte);
            (name.iter().all(is_of_name), port)
        }
    };
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_host && is_port
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host is a name, an address or the empty string, each with or without a port. Any other
    /// text is no host.
    #[test]
    fn a_host_is_told_from_what_is_none() {
        for good in [
            "",
            "h",
            "h:8411",
            "h:",
            ":8411",
            "a_b.example.",
            "10.0.0.1:1",
            "[::1]",
            "[::1]:8411",
        ] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "a b",
            "a,b",
            "a, b",
            "u@h",
            "h/x",
            "h?x",
            "h#x",
            "http://h",
            "h:x",
            "h:1:2",
            "::1",
            "[::1",
            "[]",
            "[h]",
            "[::1]x",
            "caf\u{e9}",
            "h\\x",
            "\"h\"",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }

    /// Only HTTP/1.1 requires a `Host` header. On HTTP/2, a `Host` header must equal `:authority`.
    #[test]
    fn a_request_names_one_host() {
        let check = |version, target: &str, hosts: &[&str]| {
            let mut request = Request::get(target).version(version);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            super::check(&request.body(()).expect("a request")).is_ok()
        };
        let (http10, http11, http2) = (Version::HTTP_10, Version::HTTP_11, Version::HTTP_2);
        for (version, target, hosts) in [
            (http10, "/", &[][..]),
            (http10, "/", &["h"]),
            (http11, "/", &["h:1"]),
            (http11, "/", &[""]),
            (http11, "http://other/", &["h"]),
            (http2, "http://h:1/", &[]),
            (http2, "http://h:1/", &["H:1"]),
        ] {
            assert!(
                check(version, target, hosts),
                "{version:?} {target} {hosts:?}"
            );
        }
        for (version, target, hosts) in [
            (http10, "/", &["h", "h"][..]),
            (http11, "/", &[]),
            (http11, "/", &["h", "h"]),
            (http11, "/", &["h", "other"]),
            (http11, "/", &["h, other"]),
            (http11, "http://u@h/", &["h"]),
            (http2, "http://h:1/", &["h:2"]),
            (http2, "http://h:1/", &["h:1", "h:1"]),
            (http2, "http://u:p@h/", &[]),
        ] {
            assert!(
                !check(version, target, hosts),
                "{version:?} {target} {hosts:?}"
            );
        }
    }
}
