//! The exact JSON of a service, byte for byte as airlift's Jackson writes it.

use super::announcement::StaticService;

/// Writes a JSON string.
///
/// Unlike plain Jackson, airlift's `JsonMapper` also escapes `<`, `>`, `&` and `'`, so that a
/// browser never interprets JSON as HTML. Jackson writes hexadecimal digits in upper case and
/// non-ASCII characters unescaped.
pub fn write_json_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    // Names, addresses and versions usually need no escapes and are copied as a whole.
    while let Some(plain) = rest.iter().position(|byte| extra_bytes(*byte) > 0) {
        out.extend_from_slice(&rest[..plain]);
        write_escape(out, rest[plain]);
        rest = &rest[plain + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Returns the number of bytes that escaping adds to a byte in a JSON string.
fn extra_bytes(byte: u8) -> u8 {
    /// The result of `extra_bytes` for each byte. The results are in a table, because they are
    /// needed for every byte of every announcement.
    const EXTRA_BYTES: [u8; 256] = {
        let mut extra = [0; 256];
        let mut byte = 0;
        while byte < extra.len() {
            extra[byte] = match byte as u8 {
                b'"' | b'\\' | 0x08 | 0x0c | b'\n' | b'\r' | b'\t' => 1,
                0..=0x1f | b'<' | b'>' | b'&' | b'\'' => 5,
                _ => 0,
            };
            byte += 1;
        }
        extra
    };
    EXTRA_BYTES[usize::from(byte)]
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            return out.push(HEX[usize::from(byte & 15)]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Returns the number of bytes that [`write_json_string`] writes.
pub fn json_string_bytes(text: &str) -> usize {
    let extra: usize = text
        .bytes()
        .map(|byte| usize::from(extra_bytes(byte)))
        .sum();
    2 + text.len() + extra
}

/// Returns the number of bytes that [`write_json_service`] writes.
pub fn json_service_bytes<'a>(
    id: &str,
    node_id: Option<&str>,
    texts: [&str; 3],
    properties: impl Iterator<Item = (&'a str, &'a str)>,
) -> usize {
    const NODE_ID: usize = ",\"nodeId\":".len();
    const REST: usize = "{\"id\":,\"type\":,\"pool\":,\"location\":,\"properties\":{}}".len();
    let node_id = node_id.map_or(0, |node_id| NODE_ID + json_string_bytes(node_id));
    let texts: usize = texts.into_iter().map(json_string_bytes).sum();
    // Each property has a colon, and all but the first have a comma.
    let properties: usize = properties
        .map(|(key, value)| json_string_bytes(key) + json_string_bytes(value) + 2)
        .sum();
    json_string_bytes(id) + node_id + REST + texts + properties.saturating_sub(1)
}

/// Writes one service of a lookup. Static services have no node, and their `nodeId` is omitted.
pub fn write_json_service<'a>(
    out: &mut Vec<u8>,
    id: &str,
    node_id: Option<&str>,
    [service_type, pool, location]: [&str; 3],
    properties: impl Iterator<Item = (&'a str, &'a str)>,
) {
    out.extend_from_slice(b"{\"id\":");
    write_json_string(out, id);
    if let Some(node_id) = node_id {
        out.extend_from_slice(b",\"nodeId\":");
        write_json_string(out, node_id);
    }
    for (key, value) in [
        ("type", service_type),
        ("pool", pool),
        ("location", location),
    ] {
        out.push(b',');
        write_json_string(out, key);
        out.push(b':');
        write_json_string(out, value);
    }
    out.extend_from_slice(b",\"properties\":{");
    for (i, (key, value)) in properties.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_json_string(out, key);
        out.push(b':');
        write_json_string(out, value);
    }
    out.extend_from_slice(b"}}");
}

impl StaticService {
    /// Returns the JSON of the service, as in a lookup and in the response to its `POST` (with
    /// airlift's trailing newline).
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_json(&mut out);
        out.push(b'\n');
        out
    }

    /// Appends the JSON of the service, as in a lookup.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        write_json_service(
            out,
            &self.id,
            None,
            [&self.service_type, &self.pool, &self.location],
            self.properties.iter(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{json_service_bytes, write_json_service, write_json_string};
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z]{0,8}",
            "[\u{0}-\u{7f}]{0,8}",
            "\\PC{0,4}",
            "[<>&'\"\\\\]{0,4}"
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None, ..ProptestConfig::default()
        })]

        /// The computed length of a service's JSON equals the number of bytes written.
        #[test]
        fn its_length_is_known_before(
            id in text(),
            node_id in prop::option::of(text()),
            texts in [text(), text(), text()],
            properties in prop::collection::vec((text(), text()), 0..4),
        ) {
            let texts = texts.each_ref().map(String::as_str);
            let pairs = || properties.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            let mut json = Vec::new();
            write_json_service(&mut json, &id, node_id.as_deref(), texts, pairs());
            prop_assert_eq!(
                json_service_bytes(&id, node_id.as_deref(), texts, pairs()),
                json.len()
            );
        }
    }

    /// Each kind of character is escaped as airlift's Jackson escapes it.
    #[test]
    fn escapes() {
        let mut json = Vec::new();
        write_json_string(
            &mut json,
            "a\"\\/\u{8}\u{c}\n\r\t\u{1f}\u{7f}<>&'é\u{2028}😀",
        );
        let expected =
            "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u001F\u{7f}\\u003C\\u003E\\u0026\\u0027é\u{2028}😀\"";
        assert_eq!(String::from_utf8(json).unwrap(), expected);
    }
}
