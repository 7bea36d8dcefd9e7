//! Entity tags of lookups: which one an answer has, and whether a request brings it.

use crate::registry::Rendered;
use http::header::{ETAG, HeaderMap, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue};

/// What the tags of a request say about a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Known {
    /// It brings no tag, another one, or something that is none.
    No,
    /// It has these bytes.
    These,
    /// `*`: it has some bytes, and does not say which.
    Some,
}

/// Where a tag may stand: as HTTP has it, and as airlift's client sends back the answer's header.
const TAG_HEADERS: [HeaderName; 2] = [IF_NONE_MATCH, ETAG];

/// Compares the tags of a request with the present one, weakly: nginx and gzip make `W/` of a tag.
pub(in crate::http) fn known(headers: &HeaderMap, tag: &str) -> Known {
    let mut known = Known::No;
    for name in TAG_HEADERS {
        let values = headers.get_all(name);
        let texts = values.into_iter().filter_map(|value| value.to_str().ok());
        for element in texts.flat_map(|text| text.split(',')).map(str::trim) {
            if opaque(element) == Some(tag) {
                return Known::These;
            }
            if element == "*" {
                known = Known::Some;
            }
        }
    }
    known
}

fn opaque(element: &str) -> Option<&str> {
    let quoted = element.strip_prefix("W/").unwrap_or(element);
    quoted.strip_prefix('"')?.strip_suffix('"')
}

/// The header of an answer: a weak tag for gzip, since two encodings of one body must not have one strong tag.
pub(in crate::http) fn header(of: &Rendered, gzip: bool) -> HeaderValue {
    let value = match gzip {
        true => HeaderValue::try_from(format!("W/\"{}\"", of.tag())),
        false => HeaderValue::from_maybe_shared(of.quoted_tag()),
    };
    // A tag is hexadecimal, so the other is never used; a tag that matches nothing is harmless.
    value.unwrap_or(HeaderValue::from_static("\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    /// A tag counts wherever a client may send it, weak or strong, alone or in a list; anything else is not known.
    #[test]
    fn tags_are_compared_weakly() {
        for value in [
            r#""ab12""#,
            r#"W/"ab12""#,
            r#""x", W/"ab12""#,
            r#" "ab12" ,*"#,
        ] {
            for name in TAG_HEADERS {
                assert_eq!(known(&sent(name, value), "ab12"), Known::These, "{value}");
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
            assert_eq!(known(&headers, "ab12"), Known::No, "{value}");
        }
        assert_eq!(known(&sent(IF_NONE_MATCH, "*"), "ab12"), Known::Some);
        assert_eq!(known(&HeaderMap::new(), "ab12"), Known::No);
    }

    /// An encoded body has a tag of its own kind, which still names the same bytes.
    #[test]
    fn a_tag_comes_back() {
        let rendered = Rendered::new(b"{}".to_vec());
        let tag = rendered.tag();
        for gzip in [false, true] {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, header(&rendered, gzip))]);
            assert_eq!(known(&headers, tag), Known::These);
        }
        assert_eq!(header(&rendered, false), format!("\"{tag}\""));
        assert_eq!(header(&rendered, true), format!("W/\"{tag}\""));
    }
}
