//! The hold that the host has on one instance while its worker owns the store.
//!
//! Says when the instance must end: its requests are all lost or over time, it has been idle for too long, or somebody
//! asked for it. The worker asks from outside the guest's event loop, the epoch callback from inside the guest, so it
//! holds for guests that spin as well as for those that sleep or wait in the host.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use wasmtime_wasi_http::handler::WorkerStatus;

use crate::clock;
use crate::pool::fault;
use crate::pool::shared::SpaceShared;
use crate::pool::ticket::Ticket;

/// How long an instance may go on after its last answer was sent, when the guest still has something to do.
const AFTERWORK: Duration = Duration::from_secs(30);
/// How long a guest may go on for a client that left: one that writes learns it and ends by itself, and its instance,
/// with what it remembers, lives on.
const LEAVE: Duration = Duration::from_millis(500);
/// How long an instance beyond the first stays without a request.
const SPARE_IDLE: Duration = Duration::from_secs(60);
/// How long an instance that is worth replacing stays without a request: a burst must not meet a cold start each time.
const RETIRE_IDLE: Duration = Duration::from_secs(2);
/// Age from which an instance is replaced when it has nothing to do.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);
/// Requests after which an instance is replaced: what a guest forgets to free must not add up for ever.
const MAX_REQUESTS: u64 = 1_000_000;
/// Requests between two counts of the handles that an instance holds.
const LOOK_EVERY: u64 = 64;
/// An idle instance that holds more than this many times its first memory, and at least `BLOATED_MIN`, is replaced:
/// linear memory never shrinks.
const BLOATED_TIMES: u64 = 4;
/// See `BLOATED_TIMES`.
const BLOATED_MIN: u64 = 32 << 20;

/// Why an instance ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It had nothing to do for long enough, or is due for replacement.
    Idle,
    /// None of its requests is waited for any more.
    Abandoned,
    /// Its requests are over time.
    Deadline,
    /// The Space is being stopped.
    Stopped,
}

/// What the worker is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// End now.
    End(End),
    /// Go on, and ask again at this moment at the latest.
    GoOn(u64),
}

/// What was asked of an instance from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
enum Order {
    None,
    /// Give the slot to somebody else if idle.
    Yield,
    /// End.
    Stop,
}

/// See the module.
pub(crate) struct InstanceControl {
    pub(crate) space: Weak<SpaceShared>,
    /// Its guest takes one request at a time.
    is_serial: bool,
    /// Its guest is ready for requests.
    has_started: AtomicBool,
    requests: Mutex<Vec<Arc<Ticket>>>,
    worker: AtomicWaker,
    changed: AtomicBool,
    order: AtomicU8,
    born: u64,
    /// Since when its guest rests; 0 while it works.
    rests_since: AtomicU64,
    /// When a request last left it.
    last_left: AtomicU64,
    served: AtomicU64,
    /// Bytes held when the first request came.
    first_memory: AtomicU64,
    /// Bytes held now; its store's limiter keeps it.
    pub(crate) memory: Arc<AtomicU64>,
    /// It was counted out as a spare.
    leaving: AtomicBool,
    ended: OnceLock<End>,
    /// Requests that it announced it could take. Its worker alone changes it.
    announced: AtomicUsize,
}

impl InstanceControl {
    pub(crate) fn new(space: Weak<SpaceShared>, is_serial: bool) -> Arc<Self> {
        let now = clock::now();
        Arc::new(Self {
            space,
            is_serial,
            has_started: AtomicBool::new(false),
            requests: Mutex::default(),
            worker: AtomicWaker::new(),
            changed: AtomicBool::new(true),
            order: AtomicU8::new(Order::None as u8),
            born: now,
            rests_since: AtomicU64::new(0),
            last_left: AtomicU64::new(now),
            served: AtomicU64::new(0),
            first_memory: AtomicU64::new(0),
            memory: Arc::default(),
            leaving: AtomicBool::new(false),
            ended: OnceLock::new(),
            announced: AtomicUsize::new(0),
        })
    }

    /// The guest is ready for requests. Until then whoever starts it holds it to its time.
    pub(crate) fn started(&self) {
        self.has_started.store(true, Ordering::Release);
    }

    /// A request starts in this instance. Returns how many its guest works on, with this one.
    pub(crate) fn begin(self: &Arc<Self>, ticket: Arc<Ticket>) -> usize {
        self.rests_since.store(0, Ordering::Release);
        self.served.fetch_add(1, Ordering::Relaxed);
        if self.first_memory.load(Ordering::Relaxed) == 0 {
            self.first_memory.store(self.memory.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        ticket.taken_by(self);
        self.changed.store(true, Ordering::Release);
        let mut requests = self.requests.lock();
        // A serial guest has returned from the call before: what nobody waits for any more is over.
        requests.retain(|ticket| if self.is_serial { ticket.is_waited_for() } else { !ticket.is_finished() });
        requests.push(ticket);
        if self.is_serial { 1 } else { requests.iter().filter(|ticket| ticket.is_waited_for()).count() }
    }

    /// Requests whose answers somebody waits for.
    pub(crate) fn live(&self) -> usize {
        self.requests.lock().iter().filter(|ticket| ticket.is_waited_for()).count()
    }

    /// Requests whose heads are not there.
    pub(crate) fn working(&self) -> usize {
        self.requests.lock().iter().filter(|ticket| !ticket.is_answered()).count()
    }

    /// Announces that it can take `requests` more in all. Says how many of them are new.
    pub(crate) fn announce(&self, requests: usize) -> usize {
        let announced = self.announced.fetch_max(requests, Ordering::Relaxed);
        requests.saturating_sub(announced)
    }

    /// It takes a request that it had announced it could. Says whether it had.
    pub(crate) fn take_announced(&self) -> bool {
        let take = |announced: usize| announced.checked_sub(1);
        self.announced.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// It goes, and takes none any more. Says how many it had announced.
    pub(crate) fn close(&self) -> usize {
        self.announced.swap(0, Ordering::Relaxed)
    }

    /// All requests end with the store.
    pub(crate) fn die(&self, cause: Option<&spaceport_core::fault::Fault>) {
        for ticket in self.requests.lock().drain(..) {
            ticket.die(cause);
        }
    }

    /// The host ends the instance. Its requests learn it now, before the store goes: a body must never seem complete.
    pub(crate) fn end(&self, end: End) {
        // The first reason is the true one.
        let _ = self.ended.set(end);
        if let Some(space) = self.space.upgrade() {
            self.die(Some(&fault::of_end(end, space.limits.first_byte)));
        }
    }

    /// Why the host ended it, if it did.
    pub(crate) fn ended(&self) -> Option<End> {
        self.ended.get().copied()
    }

    /// Makes the worker look again.
    pub(crate) fn poke(&self) {
        self.left();
        self.changed.store(true, Ordering::Release);
        self.worker.wake();
    }

    /// A request left the instance, or is lost.
    pub(crate) fn left(&self) {
        self.last_left.store(clock::now(), Ordering::Release);
    }

    /// Ends the instance whatever it does.
    pub(crate) fn stop(&self) {
        self.order.fetch_max(Order::Stop as u8, Ordering::AcqRel);
        self.poke();
    }

    /// Ends the instance if it is idle. Says whether it was.
    pub(crate) fn yield_slot(&self) -> bool {
        let idle = self.idle_since().is_some();
        if idle {
            self.retire();
            self.poke();
        }
        idle
    }

    /// Takes no further request, and ends when it has answered those it has.
    pub(crate) fn retire(&self) {
        self.order.fetch_max(Order::Yield as u8, Ordering::AcqRel);
    }

    /// Whether it is time to count what the guest holds.
    pub(crate) fn is_look_due(&self) -> bool {
        self.served.load(Ordering::Relaxed).is_multiple_of(LOOK_EVERY)
    }

    /// Since when it has nothing to do.
    pub(crate) fn idle_since(&self) -> Option<u64> {
        let since = self.rests_since.load(Ordering::Acquire);
        (since != 0 && self.live() == 0).then(|| since.max(self.last_left.load(Ordering::Acquire)))
    }

    /// Whether it should take no further request.
    pub(crate) fn retires(&self) -> bool {
        self.order.load(Ordering::Acquire) != Order::None as u8 || self.served.load(Ordering::Relaxed) >= MAX_REQUESTS
    }

    /// The worker's waker, and whether anything changed since the last call.
    pub(crate) fn watch(&self, waker: &std::task::Waker) -> bool {
        self.worker.register(waker);
        self.changed.swap(false, Ordering::AcqRel)
    }

    /// For the worker: what to do in this status.
    pub(crate) fn verdict(&self, status: WorkerStatus, now: u64) -> Verdict {
        let order = self.order.load(Ordering::Acquire);
        if order == Order::Stop as u8 {
            return Verdict::End(End::Stopped);
        }
        if status == WorkerStatus::Idle {
            if self.rests_since.load(Ordering::Acquire) == 0 {
                self.rests_since.store(now, Ordering::Release);
            }
            // The guest is done with them, so nothing of theirs is left to end.
            self.requests.lock().retain(|ticket| ticket.is_waited_for());
        }
        match self.idle_since() {
            Some(since) if status == WorkerStatus::Idle => self.idle_verdict(order, since, now),
            _ => self.busy_verdict(now),
        }
    }

    /// For the epoch callback, from inside the guest. An instance without requests may still run guest code in the
    /// background: that is throttled, not ended.
    pub(crate) fn running_verdict(&self, now: u64) -> Verdict {
        if self.order.load(Ordering::Acquire) == Order::Stop as u8 {
            return Verdict::End(End::Stopped);
        }
        if self.idle_since().is_some() || !self.has_started.load(Ordering::Acquire) {
            return Verdict::GoOn(u64::MAX);
        }
        self.busy_verdict(now)
    }

    /// Ends when no request is left whose answer somebody waits for.
    fn busy_verdict(&self, now: u64) -> Verdict {
        let mut requests = self.requests.lock();
        requests.retain(|ticket| !ticket.is_finished());
        if requests.is_empty() {
            let until = self.last_left.load(Ordering::Acquire).saturating_add(clock::nanos(AFTERWORK));
            return if now >= until { Verdict::End(End::Deadline) } else { Verdict::GoOn(until) };
        }
        let (mut next, mut expired) = (None, false);
        for ticket in requests.iter() {
            let until = match ticket.abandoned_at() {
                _ if ticket.is_expired() => 0,
                Some(at) => at.saturating_add(clock::nanos(LEAVE)),
                None => ticket.due(),
            };
            if until > now {
                next = Some(next.map_or(until, |next: u64| next.min(until)));
            } else if ticket.is_expired() || ticket.abandoned_at().is_none() {
                ticket.mark_expired();
                expired = true;
            }
        }
        match (next, expired) {
            (Some(next), _) => {
                // The instance goes on for others; what was left behind costs it nothing further.
                let is_left = |at: u64| at.saturating_add(clock::nanos(LEAVE)) <= now;
                requests.retain(|ticket| !ticket.abandoned_at().is_some_and(is_left));
                Verdict::GoOn(next)
            }
            (None, true) => Verdict::End(End::Deadline),
            (None, false) => Verdict::End(End::Abandoned),
        }
    }

    fn idle_verdict(&self, order: u8, since: u64, now: u64) -> Verdict {
        if order == Order::Yield as u8 {
            return Verdict::End(End::Idle);
        }
        let retire_at = since.saturating_add(clock::nanos(RETIRE_IDLE));
        if self.worth_replacing(now) {
            return if now >= retire_at { Verdict::End(End::Idle) } else { Verdict::GoOn(retire_at) };
        }
        let spare_until = since.saturating_add(clock::nanos(SPARE_IDLE));
        if now < spare_until {
            return Verdict::GoOn(spare_until);
        }
        // One stays warm: whoever is the last of the Space goes on.
        match self.space.upgrade() {
            Some(space) if !space.population.release_spare() => {
                Verdict::GoOn(now.saturating_add(clock::nanos(SPARE_IDLE)))
            }
            Some(_) => {
                self.leaving.store(true, Ordering::Relaxed);
                Verdict::End(End::Idle)
            }
            None => Verdict::End(End::Idle),
        }
    }

    /// Whether it was already counted out as a spare.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    fn worth_replacing(&self, now: u64) -> bool {
        let memory = self.memory.load(Ordering::Relaxed);
        let first = self.first_memory.load(Ordering::Relaxed);
        now.saturating_sub(self.born) >= clock::nanos(MAX_AGE)
            || self.served.load(Ordering::Relaxed) >= MAX_REQUESTS
            || memory >= BLOATED_MIN && memory >= first.saturating_mul(BLOATED_TIMES)
    }
}

#[cfg(test)]
mod tests;
