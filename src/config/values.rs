//! The value formats of airlift: durations, data sizes, booleans, enums.

use crate::model;
pub use crate::model::shown;

/// Parses a duration and returns it in milliseconds.
pub fn duration_ms(text: &str) -> Result<u64, String> {
    model::duration_ms(text).map_err(|bad| bad.to_string())
}

/// Parses a data size and returns it in bytes.
pub fn data_size_bytes(text: &str) -> Result<u64, String> {
    model::data_size_bytes(text).map_err(|bad| bad.to_string())
}

/// Parses `true` or `false` in any case, and nothing else.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("'{}' is neither true nor false", shown(text))),
    }
}

/// Parses one of the names, in any case and with `-` for `_`, as airlift reads enums.
pub fn one_of<T: Copy>(text: &str, names: &[(&str, T)]) -> Result<T, String> {
    let written = text.replace('-', "_");
    let found = names
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&written));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let all: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        format!("'{}' is not one of {}", shown(text), all.join(", "))
    })
}

/// Parses a whole number within bounds, both inclusive.
pub fn integer(text: &str, min: u64, max: u64) -> Result<u64, String> {
    let value = text.parse::<u64>().ok().filter(|_| !text.starts_with('+'));
    let value = value.ok_or_else(|| format!("'{}' is not a whole number", shown(text)))?;
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(format!("{value} is not between {min} and {max}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Booleans and enums are parsed without regard to case, and numbers must be within their
    /// bounds.
    #[test]
    fn other_values() {
        assert_eq!(boolean("TRUE"), Ok(true));
        assert_eq!(boolean("false"), Ok(false));
        assert!(boolean("yes").is_err());
        assert_eq!(
            one_of(
                "ip-encoded-as-hostname",
                &[("IP", 1), ("IP_ENCODED_AS_HOSTNAME", 2)]
            ),
            Ok(2)
        );
        assert_eq!(
            one_of("x", &[("A", 1), ("B", 2)]),
            Err("'x' is not one of A, B".into())
        );
        assert_eq!(integer("8411", 1, 65535), Ok(8411));
        assert_eq!(
            integer("0", 1, 65535),
            Err("0 is not between 1 and 65535".into())
        );
        for text in ["", "+1", "-1", "1.0", "99999999999999999999"] {
            assert!(integer(text, 1, 65535).is_err(), "{text}");
        }
    }
}
