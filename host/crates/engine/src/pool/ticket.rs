//! One request on its way through an instance, as everybody who deals with it sees it.
//!
//! The caller, the response body, the instance's worker and the guest's epoch callback run on different tasks and
//! share only this. All flags go one way, from unset to set.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use spaceport_core::fault::Fault;
use tokio::sync::Notify;

use crate::clock;
use crate::pool::control::InstanceControl;

/// A request that was handed to a Space's instances.
pub(crate) struct Ticket {
    /// By when the head of the answer must be there.
    first_byte: AtomicU64,
    /// How long a guest that has the whole request may take to the head.
    patience: u64,
    /// By when the whole answer must be there.
    complete: u64,
    idle_chunk: u64,
    /// The head is there.
    answered: AtomicBool,
    /// The whole answer is there.
    finished: AtomicBool,
    /// When the client went; 0 while it is there.
    abandoned: AtomicU64,
    /// A deadline passed.
    expired: AtomicBool,
    /// The store is gone: a body that ends now was cut off.
    dead: AtomicBool,
    /// Since when the body waits for the guest; 0 while it does not.
    starved: AtomicU64,
    body: AtomicWaker,
    expiry: AtomicWaker,
    cause: OnceLock<Fault>,
    cause_known: Notify,
    instance: OnceLock<Weak<InstanceControl>>,
    /// It came by an opening that an instance had announced.
    opening: AtomicBool,
}

impl Ticket {
    pub(crate) fn new(first_byte: Duration, idle_chunk: Duration, stream: Duration) -> Arc<Self> {
        let patience = clock::nanos(first_byte);
        let first_byte = clock::now().saturating_add(patience);
        Arc::new(Self {
            first_byte: AtomicU64::new(first_byte),
            patience,
            complete: first_byte.saturating_add(clock::nanos(stream)),
            idle_chunk: clock::nanos(idle_chunk),
            answered: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            abandoned: AtomicU64::new(0),
            expired: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            starved: AtomicU64::new(0),
            body: AtomicWaker::new(),
            expiry: AtomicWaker::new(),
            cause: OnceLock::new(),
            cause_known: Notify::new(),
            instance: OnceLock::new(),
            opening: AtomicBool::new(false),
        })
    }

    /// It took an opening.
    pub(crate) fn take_opening(&self, took: bool) {
        self.opening.store(took, Ordering::Relaxed);
    }

    /// Whether it took an opening.
    pub(crate) fn had_opening(&self) -> bool {
        self.opening.load(Ordering::Relaxed)
    }

    /// An instance took the request.
    pub(crate) fn taken_by(&self, instance: &Arc<InstanceControl>) {
        // A second instance can only be one that took it after the first could not start, so the first stays unset.
        let _ = self.instance.set(Arc::downgrade(instance));
    }

    /// Whether an instance took the request.
    pub(crate) fn was_taken(&self) -> bool {
        self.instance.get().is_some()
    }

    /// The head is on its way to the client.
    pub(crate) fn answer(&self) {
        self.answered.store(true, Ordering::Release);
    }

    /// The whole answer went out.
    pub(crate) fn finish(&self) {
        self.finished.store(true, Ordering::Release);
        // Nobody has to act on it: the worker finds out when it looks the next time.
        if let Some(instance) = self.instance.get().and_then(Weak::upgrade) {
            instance.left();
        }
    }

    /// The client is gone.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(clock::now(), Ordering::Release);
        self.poke();
    }

    /// A deadline passed: the guest's work on this request is of no use any more.
    pub(crate) fn expire(&self) {
        self.mark_expired();
        self.poke();
    }

    /// The same, said by the instance itself.
    pub(crate) fn mark_expired(&self) {
        if !self.expired.swap(true, Ordering::AcqRel) {
            self.expiry.wake();
            self.body.wake();
        }
    }

    /// The store goes away, for this reason.
    pub(crate) fn die(&self, cause: Option<&Fault>) {
        if let Some(cause) = cause {
            // The first cause is the true one.
            let _ = self.cause.set(cause.clone());
        }
        self.dead.store(true, Ordering::Release);
        self.cause_known.notify_one();
        self.body.wake();
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    /// Whether the client is there and has not got everything.
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.is_finished() && self.abandoned_at().is_none()
    }

    /// Whether a deadline passed.
    pub(crate) fn is_expired(&self) -> bool {
        self.expired.load(Ordering::Acquire)
    }

    /// When the client went, if it did.
    pub(crate) fn abandoned_at(&self) -> Option<u64> {
        Some(self.abandoned.load(Ordering::Acquire)).filter(|at| *at != 0)
    }

    /// Whether the body must break off instead of ending.
    pub(crate) fn is_broken(&self) -> bool {
        self.dead.load(Ordering::Acquire) || self.is_expired()
    }

    /// Why the store went away, waiting for it at most `patience`: the worker learns of it before the caller does, but
    /// on another thread.
    pub(crate) async fn cause(&self, patience: Duration) -> Option<Fault> {
        if self.cause.get().is_none() && !self.dead.load(Ordering::Acquire) {
            // Whether it was told or not, what is known now is all there will be.
            let _ = tokio::time::timeout(patience, self.cause_known.notified()).await;
        }
        self.cause.get().cloned()
    }

    /// By when the head must be there.
    pub(crate) fn first_byte(&self) -> u64 {
        self.first_byte.load(Ordering::Acquire)
    }

    /// The guest took another piece of the request's body: a slow client's time is not the guest's.
    pub(crate) fn receive(&self) {
        let first_byte = clock::now().saturating_add(self.patience).min(self.complete);
        self.first_byte.store(first_byte, Ordering::Release);
    }

    /// The moment at which this request will be too late, as things stand.
    pub(crate) fn due(&self) -> u64 {
        if !self.is_answered() {
            return self.first_byte();
        }
        match self.starved.load(Ordering::Acquire) {
            0 => self.complete,
            since => self.complete.min(since.saturating_add(self.idle_chunk)),
        }
    }

    /// The body has nothing to send until the guest writes: remembers whom to wake, and that time runs.
    pub(crate) fn starve(&self, waker: &Waker) {
        self.body.register(waker);
        if self.starved.load(Ordering::Relaxed) == 0 {
            self.starved.store(clock::now(), Ordering::Release);
        }
    }

    /// The guest wrote.
    pub(crate) fn feed(&self) {
        if self.starved.load(Ordering::Relaxed) != 0 {
            self.starved.store(0, Ordering::Release);
        }
    }

    /// Ready once the request has expired.
    pub(crate) fn poll_expired(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.expiry.register(cx.waker());
        if self.expired.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn poke(&self) {
        if let Some(instance) = self.instance.get().and_then(Weak::upgrade) {
            instance.poke();
        }
    }
}
