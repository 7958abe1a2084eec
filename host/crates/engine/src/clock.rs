//! Monotonic time as a number, so that it fits into an atomic.
//!
//! Counts nanoseconds from the first use in the process; 64 bits last 584 years. Only differences mean anything.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What the origin counts as: not 0, so that 0 can mean "none", and late enough to look back from.
const START: u64 = 3_600_000_000_000;

/// Nanoseconds, counted on from `START` at the process's origin.
pub(crate) fn now() -> u64 {
    nanos(ORIGIN.elapsed()).saturating_add(START)
}

/// A duration in the same unit; what does not fit is the longest there is.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The moment as an `Instant`, for timers.
pub(crate) fn instant(at: u64) -> Instant {
    *ORIGIN + Duration::from_nanos(at.saturating_sub(START))
}
