//! One line of a log and its time.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A line, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was written: its own time, else that of the line before.
    pub time: Option<Time>,
    /// What it says.
    pub text: String,
}

/// A point in time, in microseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// The time of a clock.
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// That long before.
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }

    /// The time with which a line begins: `2026-11-21T18:27:38.123456Z`, or with a space and
    /// without zone as Storm writes it, which is then taken as UTC.
    pub fn at_start_of(line: &str) -> Option<Self> {
        let bytes = line.as_bytes();
        let shape = b"0000-00-00 00:00:00";
        let fits = bytes.len() >= shape.len()
            && bytes.iter().zip(shape).all(|(byte, shape)| match shape {
                b'0' => byte.is_ascii_digit(),
                b' ' => matches!(byte, b'T' | b' '),
                other => byte == other,
            });
        if !fits {
            return None;
        }
        let number = |from: usize, to: usize| line[from..to].parse::<u64>().ok();
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 {
            return None;
        }
        let secs = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
        Some(Self(secs * 1_000_000 + micros(&line[shape.len()..])))
    }
}

/// The fraction of a second at the start of `rest`, if there is one.
fn micros(rest: &str) -> u64 {
    let Some(fraction) = rest.strip_prefix(['.', ',']) else { return 0 };
    let digits: String = fraction.chars().take_while(char::is_ascii_digit).take(6).collect();
    format!("{digits:0<6}").parse().unwrap_or(0)
}

/// Days of the proleptic Gregorian calendar; years are counted from March, so that the leap day is
/// the last.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    // 719,468 days lie between 1 March of year 0 and 1 January 1970.
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let (days, of_day) = (secs / 86_400, secs % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

/// Year, month and day of a number of days since 1970.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_line_is_read_and_told_again() {
        for (line, told) in [
            ("2026-11-21T18:27:38.123456Z  INFO x", "2026-11-21T18:27:38.123456Z"),
            ("2026-11-21 18:27:38.123 INFO", "2026-11-21T18:27:38.123000Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"),
            ("2024-03-01T23:59:59Z", "2024-03-01T23:59:59.000000Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"),
            ("2000-12-31 01:02:03,5", "2000-12-31T01:02:03.500000Z"),
        ] {
            assert_eq!(Time::at_start_of(line).expect(line).to_string(), told);
        }
        assert_eq!(Time::at_start_of("1970-01-02T00:00:01Z"), Some(Time(86_401_000_000)));
        for line in ["", "hello", "2026-13-01T00:00:00Z", "2026-11-21", "äöü2026-11-21T18:27:38Z"]
        {
            assert_eq!(Time::at_start_of(line), None, "{line}");
        }
    }

    #[test]
    fn a_time_is_compared_with_the_clock() {
        let clock = UNIX_EPOCH + Duration::from_secs(100);
        assert_eq!(Time::of(clock).before(Duration::from_secs(40)), Time(60_000_000));
        assert_eq!(Time::of(clock).before(Duration::from_secs(4000)), Time(0));
    }
}
