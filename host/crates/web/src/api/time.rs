//! Times as the clients read them: UTC with a `Z`, milliseconds always there. `+00:00` is an error to them.

use jiff::Timestamp;
use spaceport_core::lifecycle::Millis;

/// `2025-03-07T12:24:19.651Z`.
pub(crate) fn iso(at: Millis) -> String {
    let at = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or(Timestamp::MAX);
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_and_the_z_are_always_there() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(1_741_350_259_651), "2025-03-07T12:24:19.651Z");
        assert!(iso(u64::MAX).ends_with('Z'));
    }
}
