//! Durations and data sizes as airlift writes them.

/// Milliseconds of an airlift `Duration`: `10s`, `10.00s`, `1m`, `500ms`. Units as in airlift, and as strict about case.
pub fn duration_ms(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, f64); 7] = [
        ("ns", 1e-6),
        ("us", 1e-3),
        ("ms", 1.0),
        ("s", 1e3),
        ("m", 60e3),
        ("h", 3_600e3),
        ("d", 86_400e3),
    ];
    quantity(text, &UNITS).ok_or_else(|| {
        format!(
            "'{}' is not a duration such as 500ms, 10s, 1m, 2h or 1d",
            shown(text)
        )
    })
}

/// Bytes of an airlift `DataSize`: `100MB`, `1kB`, `1.5GB`. Multiples of 1024, as in airlift.
pub fn data_size_bytes(text: &str) -> Result<u64, String> {
    const KB: f64 = 1024.0;
    const UNITS: [(&str, f64); 6] = [
        ("B", 1.0),
        ("kB", KB),
        ("MB", KB * KB),
        ("GB", KB * KB * KB),
        ("TB", KB * KB * KB * KB),
        ("PB", KB * KB * KB * KB * KB),
    ];
    quantity(text, &UNITS).ok_or_else(|| {
        format!(
            "'{}' is not a data size such as 512kB, 100MB or 1GB",
            shown(text)
        )
    })
}

/// A value as a message repeats it: a wrong one can be of any length.
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

fn quantity(text: &str, units: &[(&str, f64)]) -> Option<u64> {
    let text = text.trim();
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let number = number.trim_end();
    // `\d+(\.\d+)?`: the float parser alone would take `1e3`, `.5`, `-1` and `inf` too.
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let value = number.parse::<f64>().ok()? * factor;
    // Beyond 2^53 a float is no longer exact; nothing that is configured comes near.
    (value <= 9_007_199_254_740_992.0).then_some(value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Durations and sizes as airlift prints and reads them.
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
            "99999999999999d",
        ] {
            assert!(duration_ms(text).is_err(), "{text}");
        }
        for (text, bytes) in [
            ("100MB", 100 << 20),
            ("1kB", 1024),
            ("0.5kB", 512),
            ("1GB", 1 << 30),
            ("7B", 7),
        ] {
            assert_eq!(data_size_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["100", "1KB", "1mb", "1 GiB", "MB"] {
            assert!(data_size_bytes(text).is_err(), "{text}");
        }
    }

    /// A message never repeats a value at full length, nor its control characters.
    #[test]
    fn long_values_are_cut() {
        assert_eq!(shown(&"x".repeat(10_000)).len(), 83);
        assert_eq!(shown("a\nb"), "a?b");
    }
}
