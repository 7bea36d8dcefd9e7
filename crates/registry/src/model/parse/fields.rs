//! Parses one JSON object at a time, like Jackson's data binding in airlift.
//!
//! Lists and maps are passed on element by element, so that each parsed value is in memory only
//! once. A body of any shape therefore takes up no more memory than its text.

use super::bad_announcement::BadAnnouncement;
use super::json_type::Json;
use crate::model::text::Text;
use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Maximum nesting depth of objects and arrays in a body, including ignored fields.
///
/// An announcement needs four levels; the rest is room for fields of future clients.
pub const MAX_NESTING: usize = 64;

/// Maximum length of a client's text that an error quotes, in characters.
const MAX_QUOTED_CHARS: usize = 200;

/// Maximum length of a string with escapes, in bytes of the body. A string with escapes is copied
/// several times while it is parsed. Clients send only short strings with escapes. Even a long list
/// of catalogs contains no escapes.
const MAX_ESCAPED_BYTES: usize = 32 << 10;

/// The requested fields of a JSON object, with their unparsed values. Other fields are neither
/// parsed nor stored.
///
/// The last of several equal keys wins, and unknown keys are ignored, as in Jackson.
///
/// The location of a field is formatted only for an error, because most bodies are valid.
pub struct Fields<'a, const N: usize> {
    path: Path,
    names: [&'static str; N],
    values: [Option<&'a RawValue>; N],
}

/// The location of an object in a body. The `Display` form is the prefix of a field's name in an
/// error. The prefix is empty for the body itself, and `services[0].` for an element of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// The body itself.
    Body,
    /// An element of an array in the body.
    Element {
        /// The array's field.
        of: &'static str,
        /// The position, from 0.
        at: usize,
    },
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Body => Ok(()),
            Path::Element { of, at } => write!(f, "{of}[{at}]."),
        }
    }
}

impl<'a, const N: usize> Fields<'a, N> {
    /// Parses a whole body. Data after the first JSON value is ignored, as in Jackson.
    pub fn from_body(body: &'a [u8], names: [&'static str; N]) -> Result<Self, BadAnnouncement> {
        let text = std::str::from_utf8(body).map_err(|e| {
            BadAnnouncement::new(format!("the body is not UTF-8: byte {}", e.valid_up_to()))
        })?;
        // Jackson detects the encoding by the byte order mark and skips the mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim_ascii().is_empty() {
            return Err(BadAnnouncement::new("the body is empty".to_owned()));
        }
        if nesting_exceeds(text.as_bytes(), MAX_NESTING) {
            return Err(BadAnnouncement::new(format!(
                "the body is nested deeper than {MAX_NESTING}"
            )));
        }
        match Json::of(text) {
            Json::Object => Self::from_text(Path::Body, text, names, || {
                "the body is not JSON".to_owned()
            }),
            other => Err(not_an_object(text, other)),
        }
    }

    /// Parses the object at `path`. If the object cannot be parsed, the error begins with `what`.
    fn from_text(
        path: Path,
        text: &'a str,
        names: [&'static str; N],
        what: impl Fn() -> String,
    ) -> Result<Self, BadAnnouncement> {
        let mut fields = Self {
            path,
            names,
            values: [None; N],
        };
        each_entry(text, what, |key, value| {
            if let Some(at) = names.iter().position(|name| *name == key) {
                fields.values[at] = Some(value);
            }
            Ok(())
        })?;
        Ok(fields)
    }

    fn get(&self, field: &str) -> Option<&'a RawValue> {
        let at = self.names.iter().position(|name| *name == field)?;
        self.values[at].filter(|value| Json::of(value.get()) != Json::Null)
    }

    fn name(&self, field: &str) -> String {
        format!("{}{}", self.path, quoted(field))
    }

    /// Returns the text of a field, or `None` if the field is missing or null. The text of a number
    /// or a boolean is its source text, as in Jackson's string deserializer (`1.50` stays `1.50`).
    pub fn text(&self, field: &str) -> Result<Option<Text<'a>>, BadAnnouncement> {
        self.get(field)
            .map(|value| scalar(|| self.name(field), value))
            .transpose()
    }

    /// Same as [`Fields::text`], but accepts only a JSON string, because airlift does not coerce
    /// ids.
    pub fn strict_text(&self, field: &str) -> Result<Option<Text<'a>>, BadAnnouncement> {
        match self.get(field) {
            Some(value) if Json::of(value.get()) != Json::Text => {
                Err(BadAnnouncement::new(format!(
                    "{} is {}, not a string",
                    self.name(field),
                    Json::of(value.get())
                )))
            }
            _ => self.text(field),
        }
    }

    /// Returns the number of bytes that a field takes in the body.
    pub fn bytes(&self, field: &str) -> usize {
        self.get(field).map_or(0, |value| value.get().len())
    }

    /// Passes the objects of an array of the body to `each`, with only the fields in `names`.
    /// Returns `None` if the field is missing or null.
    ///
    /// # Errors
    /// Returns an error if the field is not an array of objects, and the errors of `each`.
    pub fn objects<const M: usize>(
        &self,
        field: &'static str,
        names: [&'static str; M],
        mut each: impl FnMut(Fields<'a, M>) -> Result<(), BadAnnouncement>,
    ) -> Result<Option<()>, BadAnnouncement> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        debug_assert_eq!(self.path, Path::Body, "elements have no arrays");
        let kind = Json::of(value.get());
        if kind != Json::Array {
            return Err(BadAnnouncement::new(format!(
                "{} is {kind}, not an array",
                self.name(field)
            )));
        }
        let mut bad = None;
        let mut at = 0;
        let elements = ElementsVisitor(|element: &'a RawValue| {
            let path = Path::Element { of: field, at };
            let taken = match Json::of(element.get()) {
                Json::Object => Fields::from_text(path, element.get(), names, || {
                    format!("{field}[{at}] has an invalid key")
                })
                .and_then(&mut each),
                other => Err(BadAnnouncement::new(format!(
                    "{field}[{at}] is {other}, not an object"
                ))),
            };
            at += 1;
            taken.map_err(|error| bad = Some(error))
        });
        let read = serde_json::Deserializer::from_str(value.get()).deserialize_seq(elements);
        finished(read, bad, || {
            format!("{} is not an array", self.name(field))
        })
        .map(Some)
    }

    /// Passes the scalars of an object to `each`, with their keys. Returns `None` if the field is
    /// missing or null.
    ///
    /// # Errors
    /// Returns an error if the field is not an object of scalars, and the errors of `each`.
    pub fn texts(
        &self,
        field: &str,
        mut each: impl FnMut(&str, &str) -> Result<(), BadAnnouncement>,
    ) -> Result<Option<()>, BadAnnouncement> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let kind = Json::of(value.get());
        if kind != Json::Object {
            return Err(BadAnnouncement::new(format!(
                "{} is {kind}, not an object",
                self.name(field)
            )));
        }
        let what = || format!("{} has an invalid key", self.name(field));
        let read = each_entry(value.get(), what, |key, value| {
            let name = || format!("{}.{}", self.name(field), quoted(key));
            each(key, &scalar(name, value)?)
        });
        read.map(Some)
    }

    /// Returns the location of the object, for an error.
    pub fn path(&self) -> Path {
        self.path
    }
}

/// Passes the entries of an object to `each`. If the object cannot be parsed, the error begins with
/// `what`.
fn each_entry<'a>(
    object: &'a str,
    what: impl Fn() -> String,
    mut each: impl FnMut(&str, &'a RawValue) -> Result<(), BadAnnouncement>,
) -> Result<(), BadAnnouncement> {
    let mut bad = None;
    let entries = EntriesVisitor(|key: &str, value: &'a RawValue| {
        each(key, value).map_err(|error| bad = Some(error))
    });
    let read = serde_json::Deserializer::from_str(object).deserialize_map(entries);
    finished(read, bad, what)
}

/// Returns the error for a body that does not begin like an object.
fn not_an_object(text: &str, begins_as: Json) -> BadAnnouncement {
    let mut json = serde_json::Deserializer::from_str(text);
    let whole: Result<&RawValue, _> = serde::Deserialize::deserialize(&mut json);
    BadAnnouncement::new(match whole {
        Ok(_) => format!("the body is {begins_as}, not a JSON object"),
        Err(error) => format!("the body is not JSON: {error}"),
    })
}

/// Returns the result of reading. The error of an element takes precedence over the parser's error,
/// which only says that reading stopped at that element.
fn finished(
    read: Result<(), serde_json::Error>,
    bad: Option<BadAnnouncement>,
    what: impl Fn() -> String,
) -> Result<(), BadAnnouncement> {
    match (bad, read) {
        (Some(bad), _) => Err(bad),
        (None, Err(error)) => Err(BadAnnouncement::new(format!("{}: {error}", what()))),
        (None, Ok(())) => Ok(()),
    }
}

/// Returns a client's text in a form suitable for one line of an error: short and without control
/// characters.
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

/// Returns the text of a string, a number or a boolean. Any other value is an error.
fn scalar<'a>(name: impl Fn() -> String, value: &'a RawValue) -> Result<Text<'a>, BadAnnouncement> {
    let text = value.get();
    match Json::of(text) {
        Json::Text if text.len() > MAX_ESCAPED_BYTES && text.contains('\\') => {
            Err(BadAnnouncement::new(format!(
                "{} has {} bytes; the limit for a string with escapes is {MAX_ESCAPED_BYTES}",
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

/// A visitor that passes the entries of an object to a function. The caller stores the error of the
/// function, to distinguish this error from an error of the parser.
struct EntriesVisitor<F>(F);

impl<'a, F: FnMut(&str, &'a RawValue) -> Result<(), ()>> Visitor<'a> for EntriesVisitor<F> {
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

/// Same as [`EntriesVisitor`], for the elements of an array.
struct ElementsVisitor<F>(F);

impl<'a, F: FnMut(&'a RawValue) -> Result<(), ()>> Visitor<'a> for ElementsVisitor<F> {
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

/// Returns whether brackets outside of strings are nested deeper than `limit`. Runs before anything
/// is parsed or stored.
fn nesting_exceeds(json: &[u8], limit: usize) -> bool {
    // A text with at most `limit` opening brackets cannot exceed the limit, even if brackets in
    // strings are counted. Counting brackets is fast, because many bytes are processed at once.
    let opens = |byte: &&u8| matches!(byte, b'{' | b'[');
    if json.iter().filter(opens).count() <= limit {
        return false;
    }
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
