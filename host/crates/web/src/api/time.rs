//! Times as the clients read them: UTC with a `Z`, milliseconds always there. `+00:00` is an error to them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use spaceport_core::lifecycle::Millis;

/// `2025-03-07T12:24:19.651Z`.
pub(crate) fn iso(at: Millis) -> String {
    let at = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or(Timestamp::MAX);
    format!("{at:.3}")
}

/// A moment as clients write it: a time with its offset, or a day of UTC, which is its beginning.
pub(crate) fn parse(text: &str) -> Option<Millis> {
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp(),
    };
    at.as_millisecond().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_days_are_read() {
        assert_eq!(parse("2025-03-07T12:24:19.651Z"), Some(1_741_350_259_651));
        assert_eq!(parse("1970-01-02"), Some(86_400_000));
        for text in ["", "today", "2025-13-01", "1960-01-01"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn milliseconds_and_the_z_are_always_there() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(1_741_350_259_651), "2025-03-07T12:24:19.651Z");
        assert!(iso(u64::MAX).ends_with('Z'));
    }
}
