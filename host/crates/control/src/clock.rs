//! The real clock.
//!
//! Reads the wall clock once and counts on from there monotonically, so that an administrator who sets the time neither
//! wakes nor sleeps a Space.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use spaceport_core::lifecycle::Millis;

use crate::ports::Clock;

/// The time of this machine, never going backwards.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started_at: Duration,
    started: Instant,
}

impl SystemClock {
    /// A clock that agrees with the wall clock now.
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that the time of day comes from")]
    pub fn new() -> Self {
        // A clock before 1970 is a machine that has not been set yet.
        let started_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started_at, started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        u64::try_from((self.started_at + self.started.elapsed()).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the wall clock is what it is compared with")]
    fn the_clock_agrees_with_the_wall() {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let difference = wall.abs_diff(u128::from(SystemClock::new().now()));
        assert!(difference < 60_000, "{difference} ms apart");
    }
}
