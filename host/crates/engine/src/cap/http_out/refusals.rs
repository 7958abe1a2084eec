//! One line in the Space's log for each refusal, as long as they come one by one.
//!
//! A guest that is refused in a loop must not push everything else out of its owner's log: past a burst the refusals are
//! only counted, and the next line that is written says how many were not.

use std::fmt::Display;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::log::GuestLog;

use super::limits::{REFUSAL_BURST, REFUSAL_EVERY};

/// The refusals of one Space.
pub(super) struct Refusals(Mutex<Bucket>);

struct Bucket {
    tokens: u32,
    refilled: Instant,
    skipped: u64,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Bucket { tokens: REFUSAL_BURST, refilled: Instant::now(), skipped: 0 }))
    }

    /// Writes why a request was refused.
    pub(super) fn write(&self, log: &dyn GuestLog, why: &dyn Display) {
        let Some(skipped) = self.0.lock().take(Instant::now()) else { return };
        let line = match skipped {
            0 => format!("egress refused: {why}\n"),
            n => format!("egress refused: {why} (and {n} more before this one)\n"),
        };
        log.write(line.as_bytes());
    }
}

impl Bucket {
    /// Whether a line may be written now, and how many were not since the last.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let gained = now.duration_since(self.refilled).as_millis() / REFUSAL_EVERY.as_millis();
        if let Ok(gained) = u32::try_from(gained)
            && gained > 0
        {
            self.tokens = self.tokens.saturating_add(gained).min(REFUSAL_BURST);
            self.refilled += REFUSAL_EVERY.checked_mul(gained).unwrap_or(Duration::ZERO);
        }
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                Some(std::mem::take(&mut self.skipped))
            }
            None => {
                self.skipped += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_counted_instead_of_written() {
        let start = Instant::now();
        let mut bucket = Bucket { tokens: REFUSAL_BURST, refilled: start, skipped: 0 };
        let written = (0..1000).filter(|_| bucket.take(start).is_some()).count();
        assert_eq!(written, REFUSAL_BURST as usize);
        let later = start + REFUSAL_EVERY;
        assert_eq!(bucket.take(later), Some(1000 - u64::from(REFUSAL_BURST)), "the next line says how many");
        assert_eq!(bucket.take(later), None);
        assert_eq!(bucket.take(later + REFUSAL_EVERY), Some(1));
    }
}
