//! The times of certificates.

use crate::der::{DerElement, DerError, GENERALIZED_TIME, UTC_TIME};

/// Returns a time of a certificate in seconds since 1970. RFC 5280 allows only times in UTC with
/// seconds: `YYMMDDhhmmssZ` for years from 1950 to 2049, and `YYYYMMDDhhmmssZ` for all others.
pub(super) fn unix_time_s(time: DerElement<'_>) -> Result<i64, DerError> {
    let text = time.content.strip_suffix(b"Z").ok_or(DerError)?;
    if !text.iter().all(u8::is_ascii_digit) {
        return Err(DerError);
    }
    let number = |digits: &[u8]| {
        let add = |number, digit: &u8| number * 10 + i64::from(*digit - b'0');
        digits.iter().fold(0, add)
    };
    let (year, rest) = match (time.tag, text.len()) {
        (UTC_TIME, 12) => match number(&text[..2]) {
            year @ 50.. => (1900 + year, &text[2..]),
            year => (2000 + year, &text[2..]),
        },
        (GENERALIZED_TIME, 14) => (number(&text[..4]), &text[4..]),
        _ => return Err(DerError),
    };
    let [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map(|at| number(&rest[at..at + 2]));
    let is_valid = (1..=12).contains(&month) && (1..=31).contains(&day);
    match is_valid && hour < 24 && minute < 60 && second < 61 {
        true => Ok(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second),
        false => Err(DerError),
    }
}

/// Returns the number of days from 1970-01-01 to a date of the Gregorian calendar. The year is
/// counted from March, so that the leap day is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        ..=2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let days_before_month = (153 * month + 2) / 5;
    let leap_days = year / 4 - year / 100 + year / 400;
    // Number of days from 0000-03-01 to 1970-01-01.
    const BEFORE_1970: i64 = 719_468;
    year * 365 + leap_days + days_before_month + day - 1 - BEFORE_1970
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::{DerReader, encoded};

    fn read(tag: u8, text: &str) -> Result<i64, DerError> {
        unix_time_s(DerReader::new(&encoded(tag, text.as_bytes())).element()?)
    }

    /// The expected numbers are those of `date -u -d DATE +%s`.
    #[test]
    fn times_are_read() {
        assert_eq!(read(UTC_TIME, "700101000000Z"), Ok(0));
        assert_eq!(read(UTC_TIME, "500101000000Z"), Ok(-631_152_000));
        assert_eq!(read(UTC_TIME, "491231235959Z"), Ok(2_524_607_999));
        assert_eq!(read(UTC_TIME, "240229123456Z"), Ok(1_709_210_096));
        assert_eq!(read(GENERALIZED_TIME, "21261106134212Z"), Ok(4_949_646_132));
        assert_eq!(
            read(GENERALIZED_TIME, "99991231235959Z"),
            Ok(253_402_300_799)
        );
    }

    #[test]
    fn other_formats_are_refused() {
        for text in ["", "Z", "7001010000Z", "700101000000", "700101000000+0100"] {
            assert_eq!(read(UTC_TIME, text), Err(DerError), "{text}");
        }
        assert_eq!(read(UTC_TIME, "701301000000Z"), Err(DerError));
        assert_eq!(read(GENERALIZED_TIME, "7001010000000Z"), Err(DerError));
    }
}
