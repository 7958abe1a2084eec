//! How long to wait before a plugin that went down is started again. Pure: what happened comes in as arguments.

use std::time::Duration;

/// First pause: a plugin that was updated or stumbled once is back at once.
const FIRST: Duration = Duration::from_secs(1);
/// Longest pause: whoever repairs what the plugin needs waits no longer than this.
const LONGEST: Duration = Duration::from_secs(60);
/// A plugin that was up for as long has recovered, and the pauses begin anew.
const STABLE: Duration = Duration::from_secs(60);

/// Pauses that double with every failure in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Pause after the first failure.
    pub first: Duration,
    /// Longest pause.
    pub longest: Duration,
    /// Time of being up after which a failure is a first one again.
    pub stable: Duration,
    /// Failures in a row so far.
    pub failures: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: FIRST, longest: LONGEST, stable: STABLE, failures: 0 }
    }
}

impl Backoff {
    /// Takes in a failure after being up for so long; the pause before the next start.
    #[must_use]
    pub fn failed(self, up_for: Duration) -> (Self, Duration) {
        let before = if up_for >= self.stable { 0 } else { self.failures };
        let factor = 2u32.checked_pow(before).unwrap_or(u32::MAX);
        let pause = self.first.saturating_mul(factor).min(self.longest);
        (Self { failures: before.saturating_add(1), ..self }, pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses, in seconds, after failures that each came after being up for so many seconds.
    fn pauses(up_for: &[u64]) -> Vec<u64> {
        let mut backoff = Backoff::default();
        let mut pauses = Vec::new();
        for up_for in up_for {
            let (next, pause) = backoff.failed(Duration::from_secs(*up_for));
            pauses.push(pause.as_secs());
            backoff = next;
        }
        pauses
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        assert_eq!(pauses(&[0; 9]), [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_stable_minute_begins_anew() {
        assert_eq!(pauses(&[0, 0, 0, 59, 60, 0, 3600]), [1, 2, 4, 8, 1, 2, 1]);
    }

    #[test]
    fn no_number_of_failures_overflows() {
        let many = Backoff { failures: u32::MAX, ..Backoff::default() };
        assert_eq!(many.failed(Duration::ZERO), (many, LONGEST));
    }
}
