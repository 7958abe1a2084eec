//! How many requests one instance of a Space takes at once.
//!
//! A trap takes every request of its instance with it, so after one the instances take one request each, and win back
//! what they had in steps while nothing goes wrong. Guests that keep trapping wait longer each time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock;

/// How long after a trap the first step back is taken: long enough to see whether the next request traps as well.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait, so that an app that was mended by its data recovers the same hour.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// A trap within so many waits of the last one is the same trouble.
const SAME_TROUBLE: u64 = 4;

/// See the module.
#[derive(Debug)]
pub(crate) struct Concurrency {
    most: usize,
    limit: AtomicUsize,
    trouble: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Trouble {
    trapped_at: u64,
    stepped_at: u64,
    wait: u64,
}

impl Concurrency {
    /// For guests that can take `most`.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, limit: AtomicUsize::new(most), trouble: Mutex::default() }
    }

    /// Whether an instance may ever have several.
    pub(crate) fn is_serial(&self) -> bool {
        self.most <= 1
    }

    /// Requests that an instance takes at once now.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// An instance trapped.
    pub(crate) fn trapped(&self, now: u64) {
        let mut trouble = self.trouble.lock();
        let is_same = trouble.wait > 0 && now.saturating_sub(trouble.trapped_at) < trouble.wait * SAME_TROUBLE;
        let wait = if is_same { trouble.wait.saturating_mul(2) } else { clock::nanos(FIRST_WAIT) };
        *trouble = Trouble { trapped_at: now, stepped_at: now, wait: wait.min(clock::nanos(LONGEST_WAIT)) };
        self.limit.store(1, Ordering::Relaxed);
    }

    /// A request starts: a moment to take a step back to what was.
    pub(crate) fn regain(&self, now: u64) {
        let limit = self.limit();
        if limit >= self.most {
            return;
        }
        let mut trouble = self.trouble.lock();
        if now.saturating_sub(trouble.stepped_at) >= trouble.wait {
            trouble.stepped_at = now;
            self.limit.store((limit * 2).min(self.most), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn after_a_trap_concurrency_comes_back_in_steps() {
        let concurrency = Concurrency::new(16);
        concurrency.trapped(100 * SECOND);
        concurrency.regain(129 * SECOND);
        assert_eq!(concurrency.limit(), 1);
        let steps: Vec<usize> = (1..=5)
            .map(|step| {
                concurrency.regain((100 + 30 * step) * SECOND);
                concurrency.limit()
            })
            .collect();
        assert_eq!(steps, [2, 4, 8, 16, 16]);
    }

    #[test]
    fn a_guest_that_traps_again_waits_longer() {
        let concurrency = Concurrency::new(16);
        concurrency.trapped(100 * SECOND);
        concurrency.trapped(131 * SECOND);
        concurrency.regain(180 * SECOND);
        assert_eq!(concurrency.limit(), 1);
        concurrency.regain(191 * SECOND);
        assert_eq!(concurrency.limit(), 2);
        (0..20).for_each(|_| concurrency.trapped(200 * SECOND));
        concurrency.regain(800 * SECOND);
        assert_eq!(concurrency.limit(), 2, "ten minutes are the longest wait");
    }
}
