//! Numbers and times as people write them.

use std::time::Duration;

/// Units of time, and what they are in nanoseconds.
const UNITS: [(&str, f64); 6] =
    [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

/// Longest time that is accepted: a hundred years are as good as for ever.
const LONGEST_NS: f64 = 100.0 * 365.0 * 24.0 * 3600e9;

/// Reads a length of time, such as `10s`, `2.5ms` or `5m`; a `value_parser` for arguments.
///
/// ```
/// use std::time::Duration;
/// use storm_runtime::app::parse_duration;
///
/// assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
/// assert!(parse_duration("10").unwrap_err().to_string().contains("10s"));
/// ```
///
/// # Errors
/// What is accepted, in words.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let wrong = || DurationError { text: text.to_owned() };
    let number_end = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(number_end);
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let nanos = number * unit_ns;
    if !(0.0..=LONGEST_NS).contains(&nanos) {
        return Err(wrong());
    }
    Ok(Duration::from_nanos(nanos.round() as u64))
}

/// A text is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no length of time: write a number and a unit, such as 10s, 250ms or 5m")]
pub struct DurationError {
    text: String,
}

/// A count with its thousands set apart: `31,102`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Events per second, as [`count`]; a few of them with one decimal.
pub(super) fn rate(events: u64, time: Duration) -> String {
    let per_second = if time.is_zero() { 0.0 } else { events as f64 / time.as_secs_f64() };
    if per_second < 100.0 { format!("{per_second:.1}") } else { count(per_second.round() as u64) }
}

/// A time with three digits and the unit that suits it: `1.25 ms`.
pub(super) fn time(time: Duration) -> String {
    let nanos = time.as_nanos() as f64;
    let (unit, unit_ns) = match nanos {
        ..1e3 => ("ns", 1.0),
        ..1e6 => ("µs", 1e3),
        ..1e9 => ("ms", 1e6),
        _ => ("s", 1e9),
    };
    let value = nanos / unit_ns;
    let decimals = match value {
        _ if unit == "ns" => 0,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_with_their_unit_and_refused_without() {
        let ns = |text| parse_duration(text).map(|duration| duration.as_nanos()).ok();
        assert_eq!(ns("10s"), Some(10_000_000_000));
        assert_eq!(ns("2.5ms"), Some(2_500_000));
        assert_eq!(ns("0s"), Some(0));
        assert_eq!(ns("1h"), Some(3_600_000_000_000));
        for wrong in ["", "10", "s", "-1s", "1 week", "NaNs", "1e300h"] {
            assert_eq!(ns(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_are_set_for_people() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(31_102), "31,102");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(rate(31_102, Duration::from_secs(2)), "15,551");
        assert_eq!(rate(5, Duration::from_secs(2)), "2.5");
        assert_eq!(rate(5, Duration::ZERO), "0.0");
    }

    #[test]
    fn times_have_three_digits() {
        let shown = |nanos| time(Duration::from_nanos(nanos));
        assert_eq!(shown(0), "0 ns");
        assert_eq!(shown(999), "999 ns");
        assert_eq!(shown(1_250), "1.25 µs");
        assert_eq!(shown(12_500_000), "12.5 ms");
        assert_eq!(shown(2_000_000_000), "2.00 s");
    }
}
