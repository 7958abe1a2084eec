//! What those hold who work in a mount; each gives back by being dropped.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::super::measure::measure;
use super::super::usage::Usage;
use super::{PACE, PAUSE, Quota};

/// The right to make the mount larger by what was charged.
pub(in crate::cap::files) struct Permit {
    pub(super) quota: Arc<Quota>,
    pub(super) charged: Usage,
    pub(super) settled: bool,
}

/// The right to have the mount stand still. Nobody holds a permit beside it.
pub(in crate::cap::files) struct Exclusive {
    pub(super) quota: Arc<Quota>,
}

/// A tree that is being removed.
pub(in crate::cap::files) struct Removal {
    pub(super) quota: Arc<Quota>,
}

impl Exclusive {
    /// Runs a walk over the mount's tree where it may block, and paces the next one.
    pub(in crate::cap::files) async fn walk<R: Send + 'static>(
        &self,
        walk: impl FnOnce(&Path) -> io::Result<R> + Send + 'static,
    ) -> io::Result<R> {
        let quota = self.quota.clone();
        let started = Instant::now();
        // Dropped half-way, the walk runs on: the next one waits as if it had ended here.
        self.pace(started, Duration::ZERO);
        let outcome = tokio::task::spawn_blocking(move || walk(&quota.root)).await.map_err(io::Error::other)?;
        self.pace(Instant::now(), started.elapsed());
        outcome
    }

    fn pace(&self, from: Instant, took: Duration) {
        self.quota.state.lock().walk_after = from + PAUSE.max(took.saturating_mul(PACE));
    }

    /// Sets the account to what is really there.
    pub(super) async fn remeasure(&self) -> io::Result<()> {
        self.quota.state.lock().stale = false;
        let measured = self.walk(measure).await.inspect_err(|_| self.quota.freed())?;
        // After the walk: what lost its name meanwhile is counted twice rather than not at all.
        let used = measured.plus(self.quota.nameless());
        self.quota.state.lock().used = used;
        Ok(())
    }

    /// Waits until the next walk is due.
    pub(in crate::cap::files) async fn paced(&self) {
        let due = self.quota.state.lock().walk_after;
        sleep_until(due).await;
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        self.quota.state.lock().exclusive = false;
        self.quota.changed.notify_waiters();
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        let mut state = self.quota.state.lock();
        state.removals -= 1;
        state.stale = true;
        drop(state);
        self.quota.changed.notify_waiters();
    }
}

impl Permit {
    /// Charges this much more, if there is room for all of it.
    pub(in crate::cap::files) fn charge(&mut self, more: Usage) -> bool {
        let mut state = self.quota.state.lock();
        let used = state.used.plus(more);
        // Nothing more is always allowed, also in a mount whose limit was lowered.
        let allowed = more == Usage::default() || used.fits(state.limit);
        if allowed {
            state.used = used;
            self.charged = self.charged.plus(more);
        }
        allowed
    }

    /// Bytes that could be charged.
    pub(in crate::cap::files) fn room(&self) -> u64 {
        let state = self.quota.state.lock();
        state.limit.bytes.saturating_sub(state.used.bytes)
    }

    /// What was charged and not used is given back; exact, since nobody measures while a permit is held.
    pub(in crate::cap::files) fn refund(&mut self, used: Usage) {
        let mut state = self.quota.state.lock();
        state.used = state.used.minus(self.charged.minus(used));
        self.charged = used;
        self.settled = true;
    }

    /// Gives the whole charge back.
    pub(in crate::cap::files) fn give_back<R>(mut self, outcome: R) -> R {
        self.refund(Usage::default());
        outcome
    }

    /// Keeps the charge if the operation was done, gives it back if it failed.
    pub(in crate::cap::files) fn settle<R, E>(mut self, outcome: Result<R, E>) -> Result<R, E> {
        match outcome.is_ok() {
            true => self.settled = true,
            false => self.refund(Usage::default()),
        }
        outcome
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.quota.state.lock();
        state.permits -= 1;
        // Given up half-way: whether it was done, the next measurement will tell.
        state.stale |= !self.settled;
        let last = state.permits == 0 && state.exclusive;
        drop(state);
        if last {
            self.quota.changed.notify_waiters();
        }
    }
}
