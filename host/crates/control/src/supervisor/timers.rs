//! Times at which a supervisor wants to be called: for a retry, or to see whether its Space is idle. One task for all
//! Spaces, so that waiting costs an entry in a set.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::{Event, Millis, Serving};
use spaceport_core::space::Sdk;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::member::Input;
use super::{Durability, Supervisor};
use crate::fleet::{FleetError, Shared};

/// Longest sleep between two looks at the clock, which may be moved by hand.
const LOOK: Duration = Duration::from_millis(250);
/// Idle time after which a static Space is unloaded. Nobody notices: it is back within a request.
const STATIC_IDLE: Millis = 5 * 60 * 1000;

/// The times asked for, one per Space at most.
#[derive(Default)]
pub(crate) struct Timers {
    times: Mutex<Times>,
    changed: Notify,
}

#[derive(Default)]
struct Times {
    in_order: BTreeSet<(Millis, SpaceId)>,
    by_space: HashMap<SpaceId, Millis>,
}

impl Timers {
    /// Sets, moves or clears the time of a Space.
    fn set(&self, space: SpaceId, at: Option<Millis>) {
        let mut times = self.times.lock();
        let before = match at {
            Some(at) => times.by_space.insert(space, at),
            None => times.by_space.remove(&space),
        };
        if let Some(before) = before {
            times.in_order.remove(&(before, space));
        }
        if let Some(at) = at {
            times.in_order.insert((at, space));
            if times.in_order.first() == Some(&(at, space)) {
                self.changed.notify_one();
            }
        }
    }

    /// The Spaces whose time has come; they are forgotten.
    fn take_due(&self, now: Millis) -> Vec<SpaceId> {
        let mut times = self.times.lock();
        let mut due = Vec::new();
        while let Some((at, space)) = times.in_order.first().copied().filter(|(at, _)| *at <= now) {
            times.in_order.remove(&(at, space));
            times.by_space.remove(&space);
            due.push(space);
        }
        due
    }

    /// Whether a Space has a time.
    #[cfg(test)]
    pub(crate) fn has(&self, space: SpaceId) -> bool {
        self.times.lock().by_space.contains_key(&space)
    }

    fn next(&self) -> Option<Millis> {
        self.times.lock().in_order.first().map(|(at, _)| *at)
    }
}

/// Calls supervisors when their time has come, until the fleet is gone.
pub(crate) async fn run(fleet: Weak<Shared>, timers: Arc<Timers>, closing: CancellationToken) {
    loop {
        let wait = {
            let Some(shared) = fleet.upgrade() else { return };
            let now = shared.clock.now();
            for space in timers.take_due(now) {
                if let Some(member) = shared.member(space) {
                    member.post(&shared, Input::Tick);
                }
            }
            timers.next().map_or(LOOK, |at| Duration::from_millis(at.saturating_sub(now)).min(LOOK))
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = timers.changed.notified() => {}
            () = closing.cancelled() => return,
        }
    }
}

impl Supervisor<'_> {
    /// Sets the timer for what is to be done next without anybody asking.
    pub(super) fn schedule(&self) {
        let at = match &self.own.state.serving {
            Serving::Failed { retry_at, .. } => *retry_at,
            Serving::Live { next: None, .. } => self.idle_at(),
            // What is being replaced does not sleep: a time that is past would be due again and again.
            Serving::Live { next: Some(_), .. } => None,
            Serving::Nothing | Serving::Asleep { .. } | Serving::Starting { .. } => None,
        };
        self.shared.timers.set(self.member.space, at);
    }

    /// A time has come that was asked for.
    pub(super) async fn tick(&mut self) -> Result<(), FleetError> {
        let now = self.shared.clock.now();
        let event = match &self.own.state.serving {
            Serving::Failed { retry_at: Some(at), .. } if *at <= now => Event::RetryDue,
            Serving::Live { instance, next: None, .. }
                if self.member.slot.in_flight() == 0 && self.idle_at().is_some_and(|at| at <= now) =>
            {
                Event::IdleElapsed { instance: *instance }
            }
            _ => {
                self.schedule();
                return Ok(());
            }
        };
        self.decide(event, Durability::Later).await
    }

    /// When the live instance will have been idle for long enough, if no request comes.
    fn idle_at(&self) -> Option<Millis> {
        let Serving::Live { since, .. } = &self.own.state.serving else { return None };
        let idle = match self.own.live()?.manifest.sdk {
            Sdk::Static => STATIC_IDLE,
            _ => u64::try_from(self.own.profile.sleep_after?.as_millis()).unwrap_or(Millis::MAX),
        };
        let slot = &self.member.slot;
        // A request that is still going on ends now at the earliest.
        let used = if slot.in_flight() > 0 { self.shared.clock.now() } else { slot.last_used() };
        Some(used.max(*since).saturating_add(idle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_space_has_one_time_and_the_earliest_comes_first() {
        let timers = Timers::default();
        let [a, b] = [1, 2].map(|number| SpaceId::from_bytes([number; 12]));
        timers.set(a, Some(30));
        timers.set(b, Some(20));
        timers.set(a, Some(10));
        assert_eq!((timers.next(), timers.take_due(5)), (Some(10), vec![]));
        assert_eq!(timers.take_due(10), [a]);
        timers.set(b, None);
        assert_eq!((timers.next(), timers.take_due(100)), (None, vec![]));
    }
}
