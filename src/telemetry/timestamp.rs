//! Wall-clock times as text.

const DAY_MS: u64 = 86_400_000;

/// Formats milliseconds since the Unix epoch as in `2026-11-24T11:34:01.123Z`.
pub fn rfc3339(unix_ms: u64) -> String {
    let (date, of_day) = (date(unix_ms), unix_ms % DAY_MS);
    let (hours, minutes) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (seconds, millis) = (of_day / 1_000 % 60, of_day % 1_000);
    format!("{date}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z")
}

/// Returns the number of whole days since the Unix epoch.
pub fn day(unix_ms: u64) -> u64 {
    unix_ms / DAY_MS
}

/// Formats the date of milliseconds since the Unix epoch as in `2026-11-24`, in the proleptic
/// Gregorian calendar.
pub fn date(unix_ms: u64) -> String {
    // Howard Hinnant's `civil_from_days`: years that start in March put the leap day last, and eras
    // of 400 years repeat.
    let days = day(unix_ms) + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known instants, including leap days, are formatted as `date -u` prints them.
    #[test]
    fn known_instants() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_827_696_789), "2000-02-29T12:34:56.789Z");
        assert_eq!(rfc3339(1_709_251_199_999), "2024-02-29T23:59:59.999Z");
        assert_eq!(rfc3339(1_709_251_200_000), "2024-03-01T00:00:00.000Z");
        assert_eq!(rfc3339(4_102_444_799_000), "2099-12-31T23:59:59.000Z");
    }
}
