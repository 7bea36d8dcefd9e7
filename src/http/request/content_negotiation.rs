//! Content negotiation: `Accept`, `Accept-Encoding` and `Content-Type`, with the semantics of HTTP.

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};

/// The `Content-Type` of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum BodyType {
    /// `application/json`, with any parameters.
    Json,
    /// No `Content-Type`.
    None,
    /// Another type.
    Other,
}

/// Returns the type of the body. Parameters are ignored, because JSON is UTF-8 regardless of
/// `charset`.
pub(in crate::http) fn body_type(headers: &HeaderMap) -> BodyType {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return BodyType::None;
    };
    let Ok(text) = value.to_str() else {
        return BodyType::Other;
    };
    match text.split(';').next().map(str::trim) {
        Some("") | None => BodyType::None,
        Some(media_type) if media_type.eq_ignore_ascii_case("application/json") => BodyType::Json,
        Some(_) => BodyType::Other,
    }
}

/// Whether the client accepts `application/json`.
pub(in crate::http) fn accepts_json(headers: &HeaderMap) -> bool {
    accepts(headers, "application", "json")
}

/// Whether the client prefers JSON to the default, which is plain text.
pub(in crate::http) fn prefers_json(headers: &HeaderMap) -> bool {
    let [(json_rank, json), (text_rank, text)] =
        [("application", "json"), ("text", "plain")].map(|(of, name)| rank(headers, of, name));
    // At equal weights, the more specific range wins.
    json > 0 && (json, json_rank) > (text, text_rank)
}

/// Whether the client prefers OpenMetrics to plain text, which is the default.
pub(in crate::http) fn prefers_openmetrics(headers: &HeaderMap) -> bool {
    let (open_rank, open) = rank(headers, "application", "openmetrics-text");
    let (_, text) = rank(headers, "text", "plain");
    // A range such as `*/*` does not ask for OpenMetrics.
    open_rank == 3 && open > 0 && open >= text
}

/// Whether the client accepts a media type. The most specific range that matches the type decides.
/// A range with `q=0` rejects the type.
pub(in crate::http) fn accepts(headers: &HeaderMap, of: &str, name: &str) -> bool {
    rank(headers, of, name).1 > 0
}

/// Returns the specificity of the range that decides on a media type, and its weight in
/// thousandths.
fn rank(headers: &HeaderMap, of: &str, name: &str) -> (u8, u16) {
    let mut ranges = weighted(headers, ACCEPT).peekable();
    if ranges.peek().is_none() {
        return (1, 1000);
    }
    let specificity = |range: &str| match range.to_ascii_lowercase().split_once('/') {
        Some((range_of, range_name)) if range_of == of && range_name == name => Some(3),
        Some((range_of, "*")) if range_of == of => Some(2),
        Some(("*", "*")) => Some(1),
        None if range == "*" => Some(1),
        _ => None,
    };
    ranges
        .filter_map(|(range, weight)| specificity(range).map(|rank| (rank, weight)))
        .max()
        .unwrap_or((0, 0))
}

/// Whether the client accepts gzip and does not prefer the unencoded bytes.
pub(in crate::http) fn wants_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, 0);
    for (coding, weight) in weighted(headers, ACCEPT_ENCODING) {
        match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(weight),
            "*" => any = Some(weight),
            "identity" => identity = weight,
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0);
    gzip > 0 && gzip >= identity
}

/// Returns the elements of a list header with their weights in thousandths. Malformed elements are
/// skipped.
fn weighted(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = (&str, u16)> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|element| {
            let mut parts = element.split(';').map(str::trim);
            let value = parts.next().filter(|value| !value.is_empty())?;
            let weight = parts.find_map(weight_parameter).unwrap_or(1000);
            Some((value, weight))
        })
}

/// Returns the weight of a parameter like `q=0.5`, in thousandths. Also accepts `q=.2`, which
/// `java.net.URL` writes. A malformed weight counts as absent.
fn weight_parameter(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let weight: f32 = value.trim().parse().ok()?;
    (0.0..=1.0)
        .contains(&weight)
        .then(|| (weight * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn one(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    /// The check of `Accept` handles ranges, weights, exclusions and the headers of old Java
    /// clients.
    #[test]
    fn accept_means_what_http_means() {
        let yes = [
            "application/json",
            "Application/JSON;charset=utf-8",
            "application/*",
            "*/*",
            "*",
            "",
            "text/html, application/json;q=0.1",
            "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
            "application/json;q=0.001, */*;q=0",
            "text/plain;q=0.9, */*;q=0.8",
        ];
        for accept in yes {
            assert!(accepts_json(&one(ACCEPT, accept)), "{accept}");
        }
        let no = [
            "text/plain",
            "text/json",
            "application/xml",
            "text/*",
            "application/json;q=0",
            "application/json;q=0, */*",
            "application/*;q=0.000, */*;q=1",
            "*/*;q=0",
            "application/vnd.x+json",
        ];
        for accept in no {
            assert!(!accepts_json(&one(ACCEPT, accept)), "{accept}");
        }
        assert!(accepts_json(&HeaderMap::new()));
    }

    /// JSON is preferred to text only if the range that matches JSON in `Accept` has the higher
    /// weight, or has the same weight and is more specific.
    #[test]
    fn json_is_preferred_only_when_it_is_named() {
        for accept in [
            "application/json",
            "application/json, */*",
            "text/plain;q=0.5, application/json",
            "application/*",
        ] {
            assert!(prefers_json(&one(ACCEPT, accept)), "{accept}");
        }
        for accept in [
            "*/*",
            "text/plain",
            "text/plain, application/json",
            "application/json;q=0.5, text/*",
            "application/json;q=0",
            "text/html",
        ] {
            assert!(!prefers_json(&one(ACCEPT, accept)), "{accept}");
        }
        assert!(!prefers_json(&HeaderMap::new()));
    }

    /// Two `Accept` lines form one list.
    #[test]
    fn accept_lines_are_joined() {
        let mut headers = one(ACCEPT, "text/plain");
        headers.append(ACCEPT, HeaderValue::from_static("application/json"));
        assert!(accepts_json(&headers));
    }

    /// gzip is sent only to a client that asks for it.
    #[test]
    fn gzip_only_when_asked_for() {
        for accept in [
            "gzip",
            "GZIP",
            "x-gzip",
            "deflate, gzip;q=0.5",
            "*",
            "gzip, deflate, br",
            "identity;q=0.5, gzip",
        ] {
            assert!(wants_gzip(&one(ACCEPT_ENCODING, accept)), "{accept}");
        }
        for accept in [
            "",
            "gzip;q=0",
            "gzip;q=0, *",
            "*;q=0",
            "deflate",
            "identity",
            "gzip;q=0.5, identity",
        ] {
            assert!(!wants_gzip(&one(ACCEPT_ENCODING, accept)), "{accept}");
        }
        assert!(!wants_gzip(&HeaderMap::new()));
    }

    /// A body is JSON only if its type is `application/json`, with any parameters.
    #[test]
    fn content_types() {
        for json in [
            "application/json",
            "application/json; charset=utf-8",
            "APPLICATION/JSON ;charset=latin1",
        ] {
            assert_eq!(
                body_type(&one(CONTENT_TYPE, json)),
                BodyType::Json,
                "{json}"
            );
        }
        for other in [
            "text/json",
            "text/plain",
            "application/jsonp",
            "application/x-json",
            "application/a+json",
            "json",
        ] {
            assert_eq!(
                body_type(&one(CONTENT_TYPE, other)),
                BodyType::Other,
                "{other}"
            );
        }
        assert_eq!(body_type(&HeaderMap::new()), BodyType::None);
    }
}
