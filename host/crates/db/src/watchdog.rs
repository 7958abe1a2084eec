//! Watches the thread that writes. All writing goes through it, so a host whose writer is stuck looks well and stores
//! nothing; sled 0.34 is known to deadlock. Ending the process is the cure: a start needs nothing that only memory holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Between two looks.
const TICK: Duration = Duration::from_secs(1);
/// Looks in a row that find the writer at the very same point before it counts as stuck: 30 seconds, longer than any disk
/// that works takes for a flush. Looks are counted, not seconds, since a stopped process is not stuck.
const STUCK: u32 = 30;
/// How long the last words may take to the log, which a thread of its own writes: without them nobody knows why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Where the writer is: odd while it works, and another number after each step.
#[derive(Debug, Default)]
pub(crate) struct Pulse(AtomicU64);

impl Pulse {
    /// Work begins, or ends.
    pub(crate) fn turn(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// A step is done, and more are to come.
    pub(crate) fn step(&self) {
        self.0.fetch_add(2, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the looks so far have shown.
#[derive(Debug, Default)]
struct Watch {
    seen: u64,
    unchanged: u32,
}

impl Watch {
    /// One more look; whether the writer is stuck.
    fn is_stuck(&mut self, pulse: u64) -> bool {
        let is_working = pulse % 2 == 1;
        self.unchanged = if is_working && pulse == self.seen { self.unchanged + 1 } else { 0 };
        self.seen = pulse;
        self.unchanged >= STUCK
    }
}

/// Looks at the writer until the other end of `open` is gone.
pub(crate) fn watch(pulse: &Arc<Pulse>, open: &Receiver<()>) {
    let mut watch = Watch::default();
    while open.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        if watch.is_stuck(pulse.now()) {
            tracing::error!(
                seconds = STUCK,
                "the database's writer is stuck; the process ends so that it can start anew"
            );
            std::thread::sleep(LAST_WORDS);
            // Not an exit, whose handlers may wait for the stuck thread; and a core dump shows where every thread stood.
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_is_stuck_only_when_it_works_and_gets_nowhere() {
        let (mut watch, pulse) = (Watch::default(), Pulse::default());
        let mut looks = |pulse: &Pulse| (0..STUCK + 1).filter(|_| watch.is_stuck(pulse.now())).count();
        assert_eq!(looks(&pulse), 0, "it has nothing to do");
        pulse.turn();
        assert_eq!(looks(&pulse), 1, "it works and makes no step");
        pulse.step();
        assert_eq!(looks(&pulse), 1, "again, counted from the step on");
        pulse.turn();
        assert_eq!(looks(&pulse), 0, "it has come to an end");
    }

    #[test]
    fn each_step_gives_it_the_whole_time_again() {
        let (mut watch, pulse) = (Watch::default(), Pulse::default());
        pulse.turn();
        for _ in 0..3 * STUCK {
            assert!(!watch.is_stuck(pulse.now()));
            pulse.step();
        }
    }
}
