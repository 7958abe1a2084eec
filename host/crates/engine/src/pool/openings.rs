//! Who may start a new instance, and who had better wait a moment for an old one.
//!
//! The handler below starts an instance whenever none happens to be free at the very moment a request comes, so a burst
//! would start one for each request. Instances therefore announce an *opening* each time they could take a request; a
//! request takes one, or waits for one about as long as a start would take, or starts an instance. Starts are held to
//! twice as many instances in each such moment, so a burst finds the number it needs in a few doublings.
//!
//! Openings are a hint: with one too many a request starts an instance it could have done without, with one too few it
//! waits for nothing. Neither lasts, since every instance announces itself again.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::clock;

/// The longest that a request waits for an instance that is there, however much a start costs: what an interpreter takes.
const LONGEST_PATIENCE: Duration = Duration::from_millis(2);
/// The shortest. Waiting requests look up together, when a timer's millisecond is over: less would let one such moment
/// pass for several.
const SHORTEST_PATIENCE: Duration = Duration::from_micros(250);

/// See the module.
pub(crate) struct Openings {
    open: Semaphore,
    starts: Mutex<Starts>,
}

#[derive(Default)]
struct Starts {
    since: u64,
    count: usize,
}

impl Default for Openings {
    fn default() -> Self {
        Self { open: Semaphore::new(0), starts: Mutex::default() }
    }
}

impl Openings {
    /// Instances can take so many requests more.
    pub(crate) fn announce(&self, requests: usize) {
        self.open.add_permits(requests);
    }

    /// So many that were announced cannot be taken after all.
    pub(crate) fn withdraw(&self, requests: usize) {
        self.open.forget_permits(requests);
    }

    /// Comes back when the request should go to an instance, new or old, of which there are `live`; each takes `start` to
    /// start, if that is known. Says whether it took an opening.
    pub(crate) async fn take(&self, live: impl Fn() -> usize, start: Option<Duration>) -> bool {
        let patience = start.map_or(LONGEST_PATIENCE, |start| start.clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE));
        loop {
            if let Ok(opening) = self.open.try_acquire() {
                opening.forget();
                return true;
            }
            if self.may_start_first(&live, patience) {
                return false;
            }
            if let Ok(Ok(opening)) = timeout(patience, self.open.acquire()).await {
                opening.forget();
                return true;
            }
            if self.may_start(live(), patience) {
                return false;
            }
        }
    }

    /// With no instance there is nothing to wait for, but only one request should find that.
    fn may_start_first(&self, live: impl Fn() -> usize, patience: Duration) -> bool {
        live() == 0 && self.may_start(0, patience)
    }

    fn may_start(&self, live: usize, patience: Duration) -> bool {
        let now = clock::now();
        let mut starts = self.starts.lock();
        if now.saturating_sub(starts.since) >= clock::nanos(patience) {
            *starts = Starts { since: now, count: 0 };
        }
        let allowed = starts.count < live.max(1);
        starts.count += usize::from(allowed);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far longer than a test takes.
    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn the_first_request_starts_an_instance_and_the_second_waits_for_it() {
        let openings = Openings::default();
        assert!(!openings.take(|| 0, None).await);
        let second = openings.take(|| 0, None);
        tokio::pin!(second);
        assert!(futures_util::poll!(&mut second).is_pending());
        openings.announce(1);
        assert!(second.await);
    }

    #[tokio::test]
    async fn a_withdrawn_opening_is_gone() {
        let openings = Openings::default();
        openings.announce(3);
        openings.withdraw(2);
        assert!(openings.take(|| 1, None).await);
        assert_eq!(openings.open.available_permits(), 0);
    }

    #[tokio::test]
    async fn starts_double_with_the_instances() {
        let openings = Openings::default();
        let began = (0..10).filter(|_| openings.may_start(4, LONG)).count();
        assert_eq!(began, 4);
    }
}
