//! Waiting for a condition, with a deadline: never for a span of time.

use std::time::{Duration, Instant};

/// Pause between two looks; short against everything that is waited for.
const POLL: Duration = Duration::from_millis(5);

/// Looks until there is a value; `None` after the deadline.
pub fn until<T>(deadline: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if started.elapsed() > deadline {
            return None;
        }
        std::thread::sleep(POLL);
    }
}
