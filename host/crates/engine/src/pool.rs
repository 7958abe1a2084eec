//! Instances of a Space: how they start, what they take, when they end.
//!
//! wasmtime-wasi-http's `ProxyHandler` moves requests to instances and drives each instance's event loop on a task of
//! its own; this module gives it our rules. [`ticket`] is a request as all sides see it, [`control`] the host's hold on
//! one instance, [`shared`] what the instances of a Space have in common.

pub(crate) mod concurrency;
pub(crate) mod control;
pub(crate) mod fault;
pub(crate) mod openings;
pub(crate) mod population;
pub(crate) mod shared;
pub(crate) mod ticket;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use spaceport_core::fault::Fault;
use spaceport_core::manifest::Isolation;
use tokio::time::Sleep;
use wasmtime::component::GuestTaskId;
use wasmtime::{Error, Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, Proxy, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};

use crate::clock;
use crate::pool::control::{End, InstanceControl, Verdict};
use crate::pool::fault::Ended;
use crate::pool::shared::SpaceShared;
use crate::pool::ticket::Ticket;
use crate::state::GuestState;

/// Requests whose answers one concurrent instance may be streaming, beside those it still works on.
const STREAMS_PER_INSTANCE: usize = 64;

/// Requests that an instance takes ahead of its next turn if it can work on several: each turn then finds some, and none
/// waits for another's.
const AHEAD: usize = 4;
/// The longest time between two looks at an instance: an answer that ends wakes nobody.
const LONGEST_TIMER: Duration = Duration::from_secs(10);

/// Our rules for the instances of one Space.
pub(crate) struct SpaceInstances(pub(crate) Arc<SpaceShared>);

impl HandlerState for SpaceInstances {
    type StoreData = GuestState;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> Result<Instance<GuestState, Expiration, Worker>, Error> {
        let entry = Entry::new(&self.0)?;
        let began = Instant::now();
        let started = start(&self.0, &entry.control).await;
        self.0.book_start(began.elapsed(), started.as_ref().err());
        started.map(|(store, proxy)| Instance {
            store,
            proxy,
            view: |state| state.http(),
            expiration: Expiration::new(entry.control.clone(), self.0.clone()),
            state: Worker { control: entry.stay(), space: self.0.clone() },
        })
    }
}

/// An instance that is known to its Space and the node from here on; no longer if it is dropped before it may stay.
pub(crate) struct Entry<'a> {
    space: &'a SpaceShared,
    pub(crate) control: Arc<InstanceControl>,
    stays: bool,
}

impl<'a> Entry<'a> {
    pub(crate) fn new(space: &'a Arc<SpaceShared>) -> Result<Self, Ended> {
        Ok(Self { space, control: space.enter().ok_or(Ended::Full)?, stays: false })
    }

    fn stay(mut self) -> Arc<InstanceControl> {
        self.stays = true;
        self.control.started();
        self.control.clone()
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if !self.stays {
            self.space.exit(&self.control);
        }
    }
}

async fn start(space: &Arc<SpaceShared>, control: &Arc<InstanceControl>) -> Result<(Store<GuestState>, Proxy), Error> {
    let mut store = GuestState::store(space, control)?;
    let ready = tokio::time::timeout(space.limits.cold_start, space.pre.instantiate_async(&mut store)).await;
    match ready {
        Ok(Ok(proxy)) => Ok((store, proxy)),
        // A first memory that is refused is reported in words only; the limiter knows who refused it.
        Ok(Err(error)) => Err(match store.data().shortage() {
            Some(shortage) => Ended::NoMemory(shortage).into(),
            None => error,
        }),
        Err(_) => Err(Ended::TooSlow.into()),
    }
}

/// One instance's part of the rules.
pub(crate) struct Worker {
    control: Arc<InstanceControl>,
    space: Arc<SpaceShared>,
}

impl WorkerState for Worker {
    type StoreData = GuestState;
    type RequestData = Arc<Ticket>;

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if self.control.retires() || self.space.isolation == Isolation::Request && total > 0 {
            return ShouldAccept::Never;
        }
        let limit = self.space.concurrency.limit();
        let full = concurrent >= limit || concurrent > 0 && self.control.live() >= STREAMS_PER_INSTANCE;
        if full { ShouldAccept::No } else { ShouldAccept::Yes }
    }

    fn on_request_start(
        &self,
        mut store: StoreContextMut<'_, GuestState>,
        ticket: Arc<Ticket>,
        _task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        let requests = self.control.begin(ticket.clone());
        if self.control.take_announced() && !ticket.had_opening() {
            self.space.openings.withdraw(1);
        }
        self.space.concurrency.regain(clock::now());
        if let Err(error) = GuestState::begin_request(&mut store, requests as u64) {
            tracing::error!(%error, "fuel is not configured");
        }
        Box::pin(std::future::poll_fn(move |cx| ticket.poll_expired(cx)))
    }

    fn drop(&self, store: Store<GuestState>, result: Result<(), Error>) {
        GuestState::book_fuel(&store);
        match &result {
            // All that the guest had to say is on its way.
            Ok(()) => {}
            Err(error) => self.report(error, store.data()),
        }
        self.space.openings.withdraw(self.control.close());
        drop(store);
        self.space.exit(&self.control);
    }
}

impl Worker {
    /// Tells the requests why, before the store goes, and the owner.
    fn report(&self, error: &Error, state: &GuestState) {
        let fault = fault::of_store(error, state);
        match self.control.ended() {
            Some(End::Idle | End::Abandoned | End::Stopped) => {}
            Some(End::Deadline) => self.space.say(&format!("{fault}{}", fault::frames(error))),
            None => {
                self.space.say(&format!("{fault}{}", fault::frames(error)));
                if fault != Fault::NodeOverloaded {
                    self.space.concurrency.trapped(clock::now());
                }
            }
        }
        self.control.die(Some(&fault));
    }
}

/// Asks the instance's control, at every turn of the worker that leaves the guest waiting, whether it goes on.
pub(crate) struct Expiration {
    control: Arc<InstanceControl>,
    space: Arc<SpaceShared>,
    timer: Option<Pin<Box<Sleep>>>,
    /// When the timer fires; later than needed never, earlier often: moving it at each request would cost more.
    armed: u64,
    last: Option<(WorkerStatus, Instant)>,
}

impl Expiration {
    fn new(control: Arc<InstanceControl>, space: Arc<SpaceShared>) -> Self {
        Self { control, space, timer: None, armed: 0, last: None }
    }

    /// The guest waits, so the instance could take requests.
    fn announce(&self, status: WorkerStatus) {
        if self.space.isolation == Isolation::Request || self.control.retires() {
            return;
        }
        let room = match self.space.concurrency.limit() {
            0 | 1 => usize::from(status != WorkerStatus::Requests),
            several => several.saturating_sub(self.control.working()).min(AHEAD),
        };
        let new = self.control.announce(room);
        if new > 0 {
            self.space.openings.announce(new);
        }
    }

    fn arm(&mut self, at: u64, now: u64) {
        let at = at.min(now.saturating_add(clock::nanos(LONGEST_TIMER)));
        if self.armed > now && self.armed <= at {
            return;
        }
        self.armed = at;
        let at = clock::instant(at).into();
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(at),
            None => self.timer = Some(Box::pin(tokio::time::sleep_until(at))),
        }
    }
}

impl WorkerExpiration for Expiration {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>, status: WorkerStatus, start: Instant) -> Poll<()> {
        let this = self.get_mut();
        let changed = this.control.watch(cx.waker());
        this.announce(status);
        let now = clock::now();
        let same = this.last.replace((status, start)) == Some((status, start));
        if same && !changed && now < this.armed {
            return Poll::Pending;
        }
        match this.control.verdict(status, now) {
            Verdict::End(end) => {
                this.control.end(end);
                return Poll::Ready(());
            }
            Verdict::GoOn(until) => this.arm(until, now),
        }
        if this.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready()) {
            this.armed = 0;
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
