//! One request to a running Space: let in, handed to an instance, answered or explained.
//!
//! The way in has three gates, each with its own answer when it stays shut: the Space's own (its queue is bounded, and
//! so is the wait), the Space's CPU (late, never refused), the node's. A request that holds its place through all of it
//! gives it back when its answer's last byte is out.

pub(crate) mod body;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use spaceport_core::fault::Fault;
use spaceport_core::manifest::Isolation;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use wasmtime::Error;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{ExpirationError, InstantiationError, ProxyHandler, TrapOrPanicError};

use crate::call::body::{Abandon, Body, BoxError, GuestBody, RequestBody};
use crate::clock;
use crate::limiter::Shortage;
use crate::pool::SpaceInstances;
use crate::pool::fault::{self, Shortfall};
use crate::pool::shared::SpaceShared;
use crate::pool::ticket::Ticket;

/// Requests of one Space that wait for their turn; those beyond are refused at once. A waiting request costs its head.
const QUEUE_LENGTH: usize = 256;
/// How long the reason of an instance's end is waited for where there must be one: the worker is about to tell.
const CAUSE: Duration = Duration::from_secs(5);
/// The same where most likely the guest just gave no answer.
const CAUSE_IF_ANY: Duration = Duration::from_millis(20);
/// How often a request that waits for memory or for a slot looks, should nobody tell it.
const RETRY: Duration = Duration::from_millis(50);
/// What wasmtime-wasi-http reports for a guest that returned without an answer.
const NO_ANSWER: &str = "guest never invoked `response-outparam::set` method";

/// The place that a request holds, on the node and in its Space, until its answer is out.
pub(crate) struct Place {
    _in_space: OwnedSemaphorePermit,
    _on_node: OwnedSemaphorePermit,
    space: Arc<SpaceShared>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.space.freed.notify_waiters();
    }
}

/// Answers the requests of one Space.
pub(crate) struct Caller {
    pub(crate) space: Arc<SpaceShared>,
    handler: ProxyHandler<SpaceInstances>,
    places: Arc<Semaphore>,
    all_places: usize,
    queued: AtomicUsize,
}

enum Failure {
    Fault(Fault),
    /// No instance could start; the request is as it was.
    Again(Box<http::Request<WasiBody>>, Shortfall),
}

impl Caller {
    pub(crate) fn new(space: Arc<SpaceShared>, places: usize) -> Self {
        let handler = ProxyHandler::new(SpaceInstances(space.clone()));
        Self {
            space,
            handler,
            places: Arc::new(Semaphore::new(places)),
            all_places: places,
            queued: AtomicUsize::new(0),
        }
    }

    /// Requests that hold a place.
    pub(crate) fn in_flight(&self) -> usize {
        self.all_places - self.places.available_permits()
    }

    /// Waits until no request holds a place.
    pub(crate) async fn drained(&self) {
        // The semaphore is never closed, and what was acquired is given back at once.
        let _ = self.places.acquire_many(self.all_places as u32).await;
    }

    /// See `Running::call`.
    pub(crate) async fn call<B>(&self, request: http::Request<B>) -> Result<http::Response<Body>, Fault>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let patience = Instant::now() + self.space.limits.queue;
        let place = self.admit(patience).await?;
        let limits = &self.space.limits;
        let ticket = Ticket::new(limits.first_byte, limits.idle_chunk, limits.stream);
        // From here on a caller that goes away is noticed.
        let abandon = Abandon::new(ticket.clone());
        let request = with_host(request).map(|body| RequestBody::boxed(body, &ticket));
        let response = self.answer(&ticket, request, patience).await?;
        ticket.answer();
        let length = content_length(response.headers());
        Ok(response.map(|body| GuestBody::new(body, length, abandon, place).boxed_unsync()))
    }

    async fn answer(
        &self,
        ticket: &Arc<Ticket>,
        mut request: http::Request<WasiBody>,
        patience: Instant,
    ) -> Result<http::Response<WasiBody>, Fault> {
        loop {
            // Registered before the attempt, so that what becomes free during it is not missed.
            let (freed, gone) = (self.space.freed.notified(), self.space.core.instance_gone.notified());
            if self.space.isolation == Isolation::Shared {
                let (live, start) = (|| self.space.population.live(), self.space.start_time());
                ticket.take_opening(self.space.openings.take(live, start).await);
            }
            let attempt = until_late(ticket, self.handler.handle(ticket.clone(), request)).await;
            let (back, shortfall) = match attempt {
                None => {
                    ticket.expire();
                    return Err(Fault::GuestDeadline(self.space.limits.first_byte));
                }
                Some(Ok(response)) => return Ok(response),
                Some(Err(error)) => match self.explain(ticket, error).await {
                    Failure::Fault(fault) => return Err(fault),
                    Failure::Again(request, shortfall) => (*request, shortfall),
                },
            };
            request = back;
            self.make_room(shortfall)?;
            if Instant::now() >= patience {
                return Err(out_of(shortfall));
            }
            // Whatever ends the wait, the next attempt tells whether it was enough.
            let _ = timeout(RETRY, async {
                tokio::select! { () = freed => {}, () = gone => {} }
            })
            .await;
        }
    }

    /// Frees what can be freed for an instance that found no room, or says that waiting is of no use.
    fn make_room(&self, shortfall: Shortfall) -> Result<(), Fault> {
        if self.space.is_stopping() {
            return Err(Fault::Stopped);
        }
        match shortfall {
            // Nobody else of this Space holds anything: it will never fit.
            Shortfall::Memory(Shortage::Space) if self.space.population.live() == 0 => Err(Fault::GuestMemoryExceeded),
            Shortfall::Memory(Shortage::Space) | Shortfall::Instance => Ok(()),
            Shortfall::Memory(Shortage::Node) | Shortfall::Slot => {
                self.space.core.evict_idlest();
                Ok(())
            }
        }
    }

    async fn admit(&self, patience: Instant) -> Result<Place, Fault> {
        let space = match self.places.clone().try_acquire_owned() {
            Ok(place) => place,
            Err(_) => self.queue(patience).await?,
        };
        if self.space.is_stopping() {
            return Err(Fault::Stopped);
        }
        while let Some(debt) = self.space.cpu.debt() {
            let until = Instant::now() + debt;
            if until > patience {
                return Err(Fault::SpaceBusy);
            }
            tokio::time::sleep_until(until).await;
        }
        let node = match self.space.core.places.clone().try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                let wait = timeout_at(patience, self.space.core.places.clone().acquire_owned()).await;
                wait.ok().and_then(Result::ok).ok_or(Fault::NodeOverloaded)?
            }
        };
        Ok(Place { _in_space: space, _on_node: node, space: self.space.clone() })
    }

    async fn queue(&self, patience: Instant) -> Result<OwnedSemaphorePermit, Fault> {
        /// Leaves the queue however the wait ends.
        struct Queued<'a>(&'a AtomicUsize);
        impl Drop for Queued<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let before = self.queued.fetch_add(1, Ordering::Relaxed);
        let _queued = Queued(&self.queued);
        if before >= QUEUE_LENGTH {
            return Err(Fault::SpaceBusy);
        }
        let wait = timeout_at(patience, self.places.clone().acquire_owned()).await;
        wait.ok().and_then(Result::ok).ok_or(Fault::SpaceBusy)
    }

    /// What an error of the handler means.
    async fn explain(&self, ticket: &Ticket, error: Error) -> Failure {
        let error = match error.downcast::<InstantiationError<Arc<Ticket>>>() {
            Ok(failure) => return self.not_started(failure),
            Err(error) => error,
        };
        if error.is::<ExpirationError>() {
            return Failure::Fault(Fault::GuestDeadline(self.space.limits.first_byte));
        }
        let reported = ticket_word(&error);
        if let Some(code) = reported {
            return Failure::Fault(Fault::GuestBadResponse(code));
        }
        // A worker that ended tells every request why. A silent guest's worker goes on.
        let silent = error.root_cause().to_string() == NO_ANSWER;
        let must_be_told = !silent && ticket.was_taken();
        let cause = ticket.cause(if must_be_told { CAUSE } else { CAUSE_IF_ANY }).await;
        Failure::Fault(match cause {
            Some(cause) => cause,
            None if silent => Fault::GuestNoResponse,
            None if error.is::<TrapOrPanicError>() => Fault::GuestTrap("the instance ended".into()),
            None => Fault::GuestTrap(fault::reason(&error)),
        })
    }

    fn not_started(&self, failure: InstantiationError<Arc<Ticket>>) -> Failure {
        match fault::of_start(&failure.error, &self.space) {
            Ok(shortfall) => {
                let request = failure.request.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
                Failure::Again(Box::new(request), shortfall)
            }
            Err(fault) => Failure::Fault(fault),
        }
    }
}

/// The request with a host that the guest's side can read: without one it would end the instance.
fn with_host<B>(mut request: http::Request<B>) -> http::Request<B> {
    let host = request.headers().get(http::header::HOST);
    let readable = request.uri().authority().is_some() || host.is_some_and(|host| host.to_str().is_ok());
    if !readable {
        request.headers_mut().insert(http::header::HOST, http::HeaderValue::from_static("localhost"));
    }
    request
}

fn content_length(headers: &http::HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What the future gives, if it does before the head is due; that may move while the client still sends.
async fn until_late<T>(ticket: &Ticket, future: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(future);
    loop {
        let due = clock::instant(ticket.first_byte());
        if let Ok(done) = timeout_at(due.into(), &mut future).await {
            return Some(done);
        }
        if ticket.first_byte() <= clock::now() {
            return None;
        }
    }
}

/// The error code that a guest answered with, if it did.
fn ticket_word(error: &Error) -> Option<String> {
    use wasmtime_wasi_http::{p2, p3};
    let p2 = error.downcast_ref::<p2::bindings::http::types::ErrorCode>().map(|code| format!("{code:?}"));
    p2.or_else(|| error.downcast_ref::<p3::bindings::http::types::ErrorCode>().map(|code| format!("{code:?}")))
}

fn out_of(shortfall: Shortfall) -> Fault {
    match shortfall {
        Shortfall::Memory(Shortage::Space) | Shortfall::Instance => Fault::SpaceBusy,
        Shortfall::Memory(Shortage::Node) | Shortfall::Slot => Fault::NodeOverloaded,
    }
}
