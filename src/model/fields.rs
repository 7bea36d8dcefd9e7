//! Reads one JSON object at a time, as Jackson's data binding does for airlift.

use super::BadAnnouncement;
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// The deepest nesting of objects and arrays that a body may have, in fields that are ignored too.
///
/// An announcement needs four; the rest is room for fields of later clients.
pub const MAX_NESTING: usize = 64;

/// The longest part of a client's own text that an error repeats, in characters.
const MAX_QUOTED_CHARS: usize = 200;

/// A JSON object whose values are still text: what is not asked for is never parsed nor held.
///
/// Of two equal keys the last one counts, and unknown keys are ignored, both as in Jackson.
pub struct Fields<'a> {
    /// Where the object stands: empty, or a prefix that ends in a dot.
    path: String,
    values: BTreeMap<String, &'a RawValue>,
}

impl<'a> Fields<'a> {
    /// Reads a whole body. What follows the first JSON value is ignored, as Jackson ignores it.
    pub fn from_body(body: &'a [u8]) -> Result<Self, BadAnnouncement> {
        let text = std::str::from_utf8(body).map_err(|e| {
            BadAnnouncement::new(format!("the body is not UTF-8: byte {}", e.valid_up_to()))
        })?;
        // Jackson detects the encoding by the byte order mark and skips it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim_ascii().is_empty() {
            return Err(BadAnnouncement::new("the body is empty".to_owned()));
        }
        if nesting_exceeds(text.as_bytes(), MAX_NESTING) {
            return Err(BadAnnouncement::new(format!(
                "the body is nested deeper than {MAX_NESTING}"
            )));
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let whole: &RawValue = serde::Deserialize::deserialize(&mut json)
            .map_err(|e| BadAnnouncement::new(format!("the body is not JSON: {e}")))?;
        match Json::of(whole) {
            Json::Object => Self::from_value("", whole),
            other => Err(BadAnnouncement::new(format!(
                "the body is {other}, not a JSON object"
            ))),
        }
    }

    fn from_value(path: &str, value: &'a RawValue) -> Result<Self, BadAnnouncement> {
        let name = path.strip_suffix('.').unwrap_or(path);
        let name = if name.is_empty() { "the body" } else { name };
        let mut json = serde_json::Deserializer::from_str(value.get());
        let values = json
            .deserialize_map(Entries)
            .map_err(|e| BadAnnouncement::new(format!("{name} has a wrong key: {e}")))?;
        Ok(Self {
            path: path.to_owned(),
            values,
        })
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.values
            .get(name)
            .copied()
            .filter(|value| Json::of(value) != Json::Null)
    }

    fn name(&self, field: &str) -> String {
        format!("{}{}", self.path, quoted(field))
    }

    /// The text of a field; a number or a boolean is its source text, as Jackson's string deserializer
    /// takes it (`1.50` stays `1.50`). `None` for a field that is missing or null.
    pub fn text(&self, field: &str) -> Result<Option<String>, BadAnnouncement> {
        self.get(field)
            .map(|value| scalar(&self.name(field), value))
            .transpose()
    }

    /// As `text`, but only a JSON string will do: airlift's ids are not coerced.
    pub fn strict_text(&self, field: &str) -> Result<Option<String>, BadAnnouncement> {
        match self.get(field) {
            Some(value) if Json::of(value) != Json::Text => Err(BadAnnouncement::new(format!(
                "{} is {}, not a string",
                self.name(field),
                Json::of(value)
            ))),
            _ => self.text(field),
        }
    }

    /// The objects of an array. `None` when the field is missing or null.
    pub fn objects(&self, field: &str) -> Result<Option<Vec<Fields<'a>>>, BadAnnouncement> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let name = self.name(field);
        if Json::of(value) != Json::Array {
            return Err(BadAnnouncement::new(format!(
                "{name} is {}, not an array",
                Json::of(value)
            )));
        }
        let elements: Vec<&'a RawValue> = serde_json::from_str(value.get())
            .map_err(|e| BadAnnouncement::new(format!("{name} is not an array: {e}")))?;
        let mut objects = Vec::with_capacity(elements.len());
        for (i, element) in elements.into_iter().enumerate() {
            match Json::of(element) {
                Json::Object => objects.push(Self::from_value(&format!("{name}[{i}]."), element)?),
                other => {
                    return Err(BadAnnouncement::new(format!(
                        "{name}[{i}] is {other}, not an object"
                    )));
                }
            }
        }
        Ok(Some(objects))
    }

    /// An object of scalars. `None` when the field is missing or null.
    pub fn texts(&self, field: &str) -> Result<Option<BTreeMap<String, String>>, BadAnnouncement> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let name = self.name(field);
        if Json::of(value) != Json::Object {
            return Err(BadAnnouncement::new(format!(
                "{name} is {}, not an object",
                Json::of(value)
            )));
        }
        let inner = Self::from_value(&format!("{name}."), value)?;
        let mut texts = BTreeMap::new();
        for (key, value) in &inner.values {
            texts.insert(key.clone(), scalar(&inner.name(key), value)?);
        }
        Ok(Some(texts))
    }
}

/// A client's text made fit for one line of an error: no control characters, and not long.
pub fn quoted(text: &str) -> String {
    let mut line = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == MAX_QUOTED_CHARS {
            line.push_str("...");
            break;
        }
        if c.is_control() || c == '\u{2028}' || c == '\u{2029}' {
            line.extend(c.escape_default())
        } else {
            line.push(c)
        }
    }
    line
}

fn scalar(name: &str, value: &RawValue) -> Result<String, BadAnnouncement> {
    match Json::of(value) {
        Json::Text => serde_json::from_str(value.get())
            .map_err(|e| BadAnnouncement::new(format!("{name} is not a string: {e}"))),
        Json::Number | Json::Boolean => Ok(value.get().to_owned()),
        Json::Null => Err(BadAnnouncement::new(format!("{name} is null"))),
        other => Err(BadAnnouncement::new(format!(
            "{name} is {other}, not a string, a number or a boolean"
        ))),
    }
}

/// What a JSON value is, told by its first character (the text is already known to be JSON).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Json {
    Object,
    Array,
    Text,
    Number,
    Boolean,
    Null,
}

impl Json {
    fn of(value: &RawValue) -> Self {
        match value.get().trim_ascii_start().as_bytes().first() {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b'"') => Self::Text,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'n') | None => Self::Null,
            Some(_) => Self::Number,
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Null => "null",
        })
    }
}

struct Entries;

impl<'a> Visitor<'a> for Entries {
    type Value = BTreeMap<String, &'a RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, &'a RawValue>()? {
            entries.insert(key, value);
        }
        Ok(entries)
    }
}

/// Counts brackets outside of strings, before anything is parsed or held.
fn nesting_exceeds(json: &[u8], limit: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for &byte in json {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}
