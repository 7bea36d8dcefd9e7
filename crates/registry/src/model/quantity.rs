//! Parses durations and data sizes in airlift's notation, such as `1.5GB`.
//!
//! The rules are the same as in `io.airlift.units.Duration` and `io.airlift.units.DataSize`. White
//! space around the number and the unit is optional, and units are case-sensitive. Results are at
//! most `Long.MAX_VALUE`, which airlift prints to mean "no limit".

use thiserror::Error;

/// Maximum quantity: `Long.MAX_VALUE` in Java.
const QUANTITY_MAX: u64 = i64::MAX as u64;

/// The reason why a text is not a quantity. Each variant contains the text as [`shown`] returns it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadQuantity {
    /// The text does not have the form of a duration.
    #[error("'{0}' is not a duration such as 500ms, 10s, 1m, 2h or 1d")]
    NotADuration(String),
    /// The duration exceeds the maximum.
    #[error("'{0}' is too long: at most {QUANTITY_MAX}ms")]
    TooLong(String),
    /// The text does not have the form of a data size.
    #[error("'{0}' is not a data size such as 512kB, 100MB or 1GB")]
    NotADataSize(String),
    /// The data size exceeds the maximum.
    #[error("'{0}' is too large: at most {QUANTITY_MAX}B")]
    TooLarge(String),
}

/// Parses an airlift `Duration` (`10s`, `10.00s`, `1m`, `500ms`) and returns it in milliseconds.
/// Rounds to the nearest millisecond, like `Duration.toMillis`.
///
/// # Errors
/// Returns an error if the text is not a duration, or if its milliseconds exceed a Java `long`.
pub fn duration_ms(text: &str) -> Result<u64, BadQuantity> {
    const UNITS: [(&str, f64); 7] = [
        ("ns", 1.0 / 1_000_000.0),
        ("us", 1.0 / 1_000.0),
        ("ms", 1.0),
        ("s", 1e3),
        ("m", 60e3),
        ("h", 3_600e3),
        ("d", 86_400e3),
    ];
    let parts = parts(text).and_then(|(number, unit)| Some((number, factor(&UNITS, unit)?)));
    let (number, factor) = parts.ok_or_else(|| BadQuantity::NotADuration(shown(text)))?;
    let value = number.parse::<f64>().map(|number| number * factor);
    rounded(value.unwrap_or(f64::INFINITY)).ok_or_else(|| BadQuantity::TooLong(shown(text)))
}

/// Parses an airlift `DataSize` (`100MB`, `1kB`, `1.5GB`, `9223372036854775807B`) and returns it in
/// bytes. Units are multiples of 1024. Whole numbers are exact; others are rounded to the nearest
/// byte.
///
/// # Errors
/// Returns an error if the text is not a data size, or if its bytes exceed a Java `long`.
pub fn data_size_bytes(text: &str) -> Result<u64, BadQuantity> {
    const UNITS: [(&str, u64); 6] = [
        ("B", 1),
        ("kB", 1 << 10),
        ("MB", 1 << 20),
        ("GB", 1 << 30),
        ("TB", 1 << 40),
        ("PB", 1 << 50),
    ];
    let parts = parts(text).and_then(|(number, unit)| Some((number, factor(&UNITS, unit)?)));
    let (number, factor) = parts.ok_or_else(|| BadQuantity::NotADataSize(shown(text)))?;
    let bytes = if number.contains('.') {
        let value = number.parse::<f64>().map(|number| number * factor as f64);
        rounded(value.unwrap_or(f64::INFINITY))
    } else {
        // Whole numbers are computed as integers, since a float is not exact beyond 2^53.
        let whole = number.parse::<u64>().ok();
        whole
            .and_then(|whole| whole.checked_mul(factor))
            .filter(|bytes| *bytes <= QUANTITY_MAX)
    };
    bytes.ok_or_else(|| BadQuantity::TooLarge(shown(text)))
}

/// Parses a decimal number of digits only. A sign, which the standard library accepts, is not part
/// of a log index.
pub fn decimal(text: &str) -> Option<u64> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal.then(|| text.parse().ok()).flatten()
}

/// Returns a value in a form suitable for messages, without control characters. The value is
/// truncated, because an invalid value can be of any length.
pub fn shown(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 80;
    let mut shown: String = text
        .chars()
        .take(SHOWN_CHARS_MAX)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Splits a quantity into its number, `\d+(\.\d+)?`, and its unit. The float parser alone would
/// also accept `1e3`, `.5`, `-1` and `inf`.
fn parts(text: &str) -> Option<(&str, &str)> {
    // The characters that `\s` matches in Java.
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r');
    let text = text.trim_matches(is_blank);
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let number = number.trim_end_matches(is_blank);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    (digits(whole) && digits(fraction)).then_some((number, unit))
}

fn factor<T: Copy>(units: &[(&str, T)], unit: &str) -> Option<T> {
    let found = units.iter().find(|(name, _)| *name == unit);
    found.map(|(_, factor)| *factor)
}

/// Rounds half up, as Java does. `Long.MAX_VALUE` has no exact float and reads as 2^63, for which
/// this returns `Long.MAX_VALUE`.
fn rounded(value: f64) -> Option<u64> {
    let rounded = (value + 0.5).floor();
    (rounded <= QUANTITY_MAX as f64).then(|| (rounded as u64).min(QUANTITY_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Durations and sizes are parsed as in airlift.
    #[test]
    fn airlift_quantities() {
        let durations = [
            ("10s", 10_000),
            ("10.00s", 10_000),
            ("500ms", 500),
            ("1m", 60_000),
            ("1.5h", 5_400_000),
            ("1d", 86_400_000),
            (" 2 s ", 2_000),
            ("0s", 0),
            ("1000us", 1),
            ("30.00s", 30_000),
            ("1.50m", 90_000),
            ("500us", 1),
            ("499us", 0),
            ("1000000ns", 1),
            ("0.00ns", 0),
            ("2.00d", 172_800_000),
            ("\t1.00 h\r", 3_600_000),
            ("007s", 7_000),
            ("9223372036854775807ms", i64::MAX as u64),
            ("9223372036854775807ns", 9_223_372_036_855),
        ];
        for (text, ms) in durations {
            assert_eq!(duration_ms(text), Ok(ms), "{text}");
        }
        for text in [
            "",
            "10",
            "s",
            "10S",
            "1e3s",
            "-1s",
            ".5s",
            "5.s",
            "10 seconds",
            "10s5",
            "inf s",
            "10MS",
            "10\u{a0}s",
            "\u{661}s",
            "1,5s",
            "+1s",
        ] {
            let refused = duration_ms(text).expect_err(text).to_string();
            assert!(refused.contains("is not a duration"), "{text}: {refused}");
        }
        for text in ["9223372036854775807d", "99999999999999999999999s"] {
            let refused = duration_ms(text).expect_err(text).to_string();
            assert!(refused.contains("is too long"), "{text}: {refused}");
        }
        for (text, bytes) in [
            ("100MB", 100 << 20),
            ("1kB", 1024),
            ("0.5kB", 512),
            ("1GB", 1 << 30),
            ("7B", 7),
            ("0B", 0),
            ("9223372036854775807B", i64::MAX as u64),
            ("9007199254740993B", (1 << 53) + 1),
            ("1.00MB", 1 << 20),
            ("0.5GB", 1 << 29),
            ("1.23kB", 1_260),
            ("1234.567 kB", 1_264_197),
            (" 100 MB\t", 100 << 20),
            ("8191PB", 8_191 << 50),
            ("8191.00PB", 8_191 << 50),
            ("0.4B", 0),
            ("0.5B", 1),
            ("9223372036854775807.0B", i64::MAX as u64),
        ] {
            assert_eq!(data_size_bytes(text), Ok(bytes), "{text}");
        }
        for text in [
            "100", "1KB", "1mb", "1 GiB", "MB", "1b", "1K", "-1B", "1.B", "1e3B", "", "1EB",
        ] {
            let refused = data_size_bytes(text).expect_err(text).to_string();
            assert!(refused.contains("is not a data size"), "{text}: {refused}");
        }
        for text in [
            "9223372036854775808B",
            "18446744073709551616B",
            "9223372036854775807MB",
            "8192PB",
            "9000.5PB",
        ] {
            let refused = data_size_bytes(text).expect_err(text).to_string();
            assert!(refused.contains("is too large"), "{text}: {refused}");
        }
    }

    /// A message never contains a long value in full, nor control characters.
    #[test]
    fn long_values_are_cut() {
        assert_eq!(shown(&"x".repeat(10_000)).len(), 83);
        assert_eq!(shown("a\nb"), "a?b");
    }
}
