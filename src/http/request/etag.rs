//! Entity tags of lookups: the tag of a response, and its comparison with the tags of a request.

use crate::registry::Rendered;
use http::header::{ETAG, HeaderMap, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue};

/// The result of comparing a request's tags with the tag of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum TagMatch {
    /// The request has no tag, another tag, or a malformed one.
    None,
    /// The client has the bytes that the lookup returns now.
    Current,
    /// `*`: the client has some version, and does not say which.
    Any,
}

/// The headers that may hold a tag: `If-None-Match`, as in HTTP, and `ETag`, the response header
/// that airlift's client sends back.
const TAG_HEADERS: [HeaderName; 2] = [IF_NONE_MATCH, ETAG];

/// Compares the tags of a request with the current tag. The comparison is weak, because nginx and
/// gzip turn a tag into a weak one (`W/`).
pub(in crate::http) fn match_tag(headers: &HeaderMap, tag: &str) -> TagMatch {
    let mut known = TagMatch::None;
    for name in TAG_HEADERS {
        let values = headers.get_all(name);
        let texts = values.into_iter().filter_map(|value| value.to_str().ok());
        for element in texts.flat_map(|text| text.split(',')).map(str::trim) {
            if opaque(element) == Some(tag) {
                return TagMatch::Current;
            }
            if element == "*" {
                known = TagMatch::Any;
            }
        }
    }
    known
}

/// Returns the tag without `W/` and quotes.
fn opaque(element: &str) -> Option<&str> {
    let quoted = element.strip_prefix("W/").unwrap_or(element);
    quoted.strip_prefix('"')?.strip_suffix('"')
}

/// Returns the `ETag` header of a response. The tag of a gzip response is weak, because two
/// encodings of one body must not share a strong tag.
pub(in crate::http) fn header(of: &Rendered, gzip: bool) -> HeaderValue {
    let value = match gzip {
        true => HeaderValue::try_from(format!("W/\"{}\"", of.tag())),
        false => HeaderValue::from_maybe_shared(of.quoted_tag()),
    };
    // A tag is hexadecimal, so the fallback is never used. If it were used, it would match no tag,
    // which is harmless.
    value.unwrap_or(HeaderValue::from_static("\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    /// A tag matches in either header, weak or strong, alone or in a list; anything else does not
    /// match.
    #[test]
    fn tags_are_compared_weakly() {
        for value in [
            r#""ab12""#,
            r#"W/"ab12""#,
            r#""x", W/"ab12""#,
            r#" "ab12" ,*"#,
        ] {
            for name in TAG_HEADERS {
                assert_eq!(
                    match_tag(&sent(name, value), "ab12"),
                    TagMatch::Current,
                    "{value}"
                );
            }
        }
        for value in [
            "",
            "ab12",
            "\"ab1\"",
            "w/\"ab12\"",
            "\"ab12",
            "\"",
            "W/",
            ",,,",
            "\"AB12\"",
        ] {
            let headers = sent(IF_NONE_MATCH, value);
            assert_eq!(match_tag(&headers, "ab12"), TagMatch::None, "{value}");
        }
        assert_eq!(match_tag(&sent(IF_NONE_MATCH, "*"), "ab12"), TagMatch::Any);
        assert_eq!(match_tag(&HeaderMap::new(), "ab12"), TagMatch::None);
    }

    /// The tag of a gzip response is weak, and matches when the client sends it back.
    #[test]
    fn a_tag_comes_back() {
        let rendered = Rendered::new(b"{}".to_vec());
        let tag = rendered.tag();
        for gzip in [false, true] {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, header(&rendered, gzip))]);
            assert_eq!(match_tag(&headers, tag), TagMatch::Current);
        }
        assert_eq!(header(&rendered, false), format!("\"{tag}\""));
        assert_eq!(header(&rendered, true), format!("W/\"{tag}\""));
    }
}
