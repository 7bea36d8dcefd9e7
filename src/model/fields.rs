//! Reads one JSON object at a time, as Jackson's data binding does for airlift.
//!
//! What is read is held once: a list or a map is handed on piece by piece, so that no shape of a body makes more of it in
//! memory than there is in the body.

use super::BadAnnouncement;
use super::text::Text;
use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The deepest nesting of objects and arrays that a body may have, in fields that are ignored too.
///
/// An announcement needs four; the rest is room for fields of later clients.
pub const MAX_NESTING: usize = 64;

/// The longest part of a client's own text that an error repeats, in characters.
const MAX_QUOTED_CHARS: usize = 200;

/// The longest string with escapes in it, in bytes of the body: such a one is copied several times while it is read. What
/// clients write holds escapes now and then and is short; a long list of catalogs holds none.
const MAX_ESCAPED_BYTES: usize = 32 << 10;

/// Those fields of a JSON object that are asked for. Their values are still text: what is not asked for is never parsed nor held.
///
/// Of two equal keys the last one counts, and unknown keys are ignored, both as in Jackson.
pub struct Fields<'a, const N: usize> {
    /// Where the object stands: empty, or a prefix that ends in a dot.
    path: String,
    names: [&'static str; N],
    values: [Option<&'a RawValue>; N],
}

impl<'a, const N: usize> Fields<'a, N> {
    /// Reads a whole body. What follows the first JSON value is ignored, as Jackson ignores it.
    pub fn from_body(body: &'a [u8], names: [&'static str; N]) -> Result<Self, BadAnnouncement> {
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
            Json::Object => Self::from_value("", whole, names),
            other => Err(BadAnnouncement::new(format!(
                "the body is {other}, not a JSON object"
            ))),
        }
    }

    /// Reads an object that stands at `path`.
    fn from_value(
        path: &str,
        value: &'a RawValue,
        names: [&'static str; N],
    ) -> Result<Self, BadAnnouncement> {
        let mut fields = Self {
            path: path.to_owned(),
            names,
            values: [None; N],
        };
        let name = path.strip_suffix('.').unwrap_or(path);
        let name = if name.is_empty() { "the body" } else { name };
        each_entry(name, value, |key, value| {
            if let Some(at) = names.iter().position(|name| *name == key) {
                fields.values[at] = Some(value);
            }
            Ok(())
        })?;
        Ok(fields)
    }

    fn get(&self, field: &str) -> Option<&'a RawValue> {
        let at = self.names.iter().position(|name| *name == field)?;
        self.values[at].filter(|value| Json::of(value) != Json::Null)
    }

    fn name(&self, field: &str) -> String {
        format!("{}{}", self.path, quoted(field))
    }

    /// The text of a field; a number or a boolean is its source text, as Jackson's string deserializer
    /// takes it (`1.50` stays `1.50`). `None` for a field that is missing or null.
    pub fn text(&self, field: &str) -> Result<Option<Text<'a>>, BadAnnouncement> {
        self.get(field)
            .map(|value| scalar(|| self.name(field), value))
            .transpose()
    }

    /// As `text`, but only a JSON string will do: airlift's ids are not coerced.
    pub fn strict_text(&self, field: &str) -> Result<Option<Text<'a>>, BadAnnouncement> {
        match self.get(field) {
            Some(value) if Json::of(value) != Json::Text => Err(BadAnnouncement::new(format!(
                "{} is {}, not a string",
                self.name(field),
                Json::of(value)
            ))),
            _ => self.text(field),
        }
    }

    /// How many bytes of the body a field takes.
    pub fn bytes(&self, field: &str) -> usize {
        self.get(field).map_or(0, |value| value.get().len())
    }

    /// Hands on the objects of an array, each with those of its fields that are named. `None` when the field is missing or null.
    ///
    /// # Errors
    /// When it is no array of objects, and those of `each`.
    pub fn objects<const M: usize>(
        &self,
        field: &str,
        names: [&'static str; M],
        mut each: impl FnMut(Fields<'a, M>) -> Result<(), BadAnnouncement>,
    ) -> Result<Option<()>, BadAnnouncement> {
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
        let mut bad = None;
        let mut at = 0;
        let elements = Elements(|element: &'a RawValue| {
            let taken = match Json::of(element) {
                Json::Object => Fields::from_value(&format!("{name}[{at}]."), element, names)
                    .and_then(&mut each),
                other => Err(BadAnnouncement::new(format!(
                    "{name}[{at}] is {other}, not an object"
                ))),
            };
            at += 1;
            taken.map_err(|error| bad = Some(error))
        });
        let read = serde_json::Deserializer::from_str(value.get()).deserialize_seq(elements);
        finished(read, bad, &format!("{name} is not an array")).map(Some)
    }

    /// Hands on the scalars of an object, with their keys. `None` when the field is missing or null.
    ///
    /// # Errors
    /// When it is no object of scalars, and those of `each`.
    pub fn texts(
        &self,
        field: &str,
        mut each: impl FnMut(&str, &str) -> Result<(), BadAnnouncement>,
    ) -> Result<Option<()>, BadAnnouncement> {
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
        let read = each_entry(&name, value, |key, value| {
            let value = scalar(|| format!("{name}.{}", quoted(key)), value)?;
            each(key, &value)
        });
        read.map(Some)
    }

    /// The path of a field, for an error.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// Hands on the entries of an object.
fn each_entry<'a>(
    name: &str,
    object: &'a RawValue,
    mut each: impl FnMut(&str, &'a RawValue) -> Result<(), BadAnnouncement>,
) -> Result<(), BadAnnouncement> {
    let mut bad = None;
    let entries = Entries(|key: &str, value: &'a RawValue| {
        each(key, value).map_err(|error| bad = Some(error))
    });
    let read = serde_json::Deserializer::from_str(object.get()).deserialize_map(entries);
    finished(read, bad, &format!("{name} has a wrong key"))
}

/// What was found wrong in a piece comes before that reading ended there.
fn finished(
    read: Result<(), serde_json::Error>,
    bad: Option<BadAnnouncement>,
    what: &str,
) -> Result<(), BadAnnouncement> {
    match (bad, read) {
        (Some(bad), _) => Err(bad),
        (None, Err(error)) => Err(BadAnnouncement::new(format!("{what}: {error}"))),
        (None, Ok(())) => Ok(()),
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

fn scalar<'a>(name: impl Fn() -> String, value: &'a RawValue) -> Result<Text<'a>, BadAnnouncement> {
    let text = value.get();
    match Json::of(value) {
        Json::Text if text.len() > MAX_ESCAPED_BYTES && text.contains('\\') => {
            Err(BadAnnouncement::new(format!(
                "{} has escapes and {} bytes; the most with escapes is {MAX_ESCAPED_BYTES}",
                name(),
                text.len()
            )))
        }
        Json::Text => serde_json::from_str(text)
            .map_err(|e| BadAnnouncement::new(format!("{} is not a string: {e}", name()))),
        Json::Number | Json::Boolean => Ok(Text::borrowed(text)),
        Json::Null => Err(BadAnnouncement::new(format!("{} is null", name()))),
        other => Err(BadAnnouncement::new(format!(
            "{} is {other}, not a string, a number or a boolean",
            name()
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

/// The entries of an object; an error of what is called is told apart by who calls.
struct Entries<F>(F);

impl<'a, F: FnMut(&str, &'a RawValue) -> Result<(), ()>> Visitor<'a> for Entries<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry::<Text<'a>, &'a RawValue>()? {
            (self.0)(&key, value).map_err(|()| A::Error::custom("refused"))?;
        }
        Ok(())
    }
}

/// As [`Entries`], of an array.
struct Elements<F>(F);

impl<'a, F: FnMut(&'a RawValue) -> Result<(), ()>> Visitor<'a> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<&'a RawValue>()? {
            (self.0)(element).map_err(|()| A::Error::custom("refused"))?;
        }
        Ok(())
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
