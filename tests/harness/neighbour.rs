//! The innocent: a Space that does nothing wrong, on a host where somebody else does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::{TestHost, TestSpace};

/// Between two visits: some forty a second.
const PACE: Duration = Duration::from_millis(20);
/// The longest that one visit may take. Far beyond what a benchmark allows: the machine may be compiling beside us, and
/// this asks whether the neighbour is served at all.
const SLOWEST: Duration = Duration::from_secs(3);

/// A Space that says hello.
pub struct Neighbour<'a>(pub TestSpace<'a>);

impl<'a> Neighbour<'a> {
    /// Up and running.
    #[track_caller]
    pub fn of(host: &'a TestHost) -> Self {
        Self(host.run_guest("neighbour", "hello", ""))
    }

    /// Does something to the host while the neighbour is visited all the time, each visit on a connection of its own.
    /// Every visit must be answered, and in time.
    #[track_caller]
    pub fn unharmed_by<T>(&self, attack: impl FnOnce() -> T) -> T {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let visits = scope.spawn(|| {
                let mut slowest = Duration::ZERO;
                while slowest == Duration::ZERO || !is_over.load(Ordering::SeqCst) {
                    let started = Instant::now();
                    let answer = self.0.get("/");
                    slowest = slowest.max(started.elapsed());
                    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"), "the neighbour was not served");
                    std::thread::sleep(PACE);
                }
                slowest
            });
            let outcome = {
                let _end = End(&is_over);
                attack()
            };
            let slowest = visits.join().expect("the neighbour was served");
            assert!(slowest < SLOWEST, "a visit to the neighbour took {slowest:?}");
            outcome
        })
    }
}

/// Ends the visits, also where the attack itself fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
