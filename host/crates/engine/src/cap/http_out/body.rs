//! The two bodies of an exchange: both count, both hold the lease, and the response's keeps its limits.
//!
//! A response body that ended well gives its connection back to the pool; one that is dropped early, goes over its cap or
//! falls silent closes it, since what is still to come would be taken for the next response.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::connect::Connection;
use super::error::from_hyper;
use super::lease::Lease;
use super::space::SpaceEgress;
use super::target::Target;

/// When the guest last handed over a piece of its request: a long upload is no slow answer.
pub(super) struct Progress(Mutex<Instant>);

impl Progress {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Instant::now())))
    }

    pub(super) fn last(&self) -> Instant {
        *self.0.lock()
    }
}

/// What the guest sends.
pub(super) struct RequestBody {
    inner: WasiBody,
    space: Arc<SpaceEgress>,
    progress: Arc<Progress>,
    _lease: Lease,
}

impl RequestBody {
    pub(super) fn new(inner: WasiBody, space: Arc<SpaceEgress>, progress: Arc<Progress>, lease: Lease) -> Self {
        Self { inner, space, progress, _lease: lease }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(frame) = &polled {
            *self.progress.0.lock() = Instant::now();
            if let Some(Ok(frame)) = frame {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.space.count(|counts| counts.sent.fetch_add(bytes, Ordering::Relaxed));
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// What comes back.
pub(super) struct ResponseBody {
    incoming: Incoming,
    open: Option<Open>,
    space: Arc<SpaceEgress>,
    silence: Pin<Box<Sleep>>,
    idle: Duration,
    waiting: bool,
    left: u64,
}

/// What an unfinished response holds.
struct Open {
    target: Target,
    connection: Connection,
    _lease: Lease,
}

impl ResponseBody {
    pub(super) fn new(
        incoming: Incoming,
        (target, connection): (Target, Connection),
        (space, lease): (Arc<SpaceEgress>, Lease),
        idle: Duration,
    ) -> Self {
        let left = space.limits().response_bytes;
        let open = Some(Open { target, connection, _lease: lease });
        let mut body = Self { incoming, open, space, silence: Box::pin(sleep(idle)), idle, waiting: false, left };
        // Nothing to read: whoever takes the response may never ask for its body.
        if body.incoming.is_end_stream() {
            body.keep_connection();
        }
        body
    }

    fn keep_connection(&mut self) {
        if let Some(Open { target, connection, .. }) = self.open.take() {
            self.space.pool().put(target, connection);
        }
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.open = None;
        self.space.count(|counts| counts.failed.fetch_add(1, Ordering::Relaxed));
        Poll::Ready(Some(Err(error)))
    }

    fn received(&mut self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.space.count(|counts| counts.received.fetch_add(bytes, Ordering::Relaxed));
        match self.left.checked_sub(bytes) {
            Some(left) => self.left = left,
            None => {
                let cap = self.space.limits().response_bytes;
                return self.fail(Error::HttpResponseBodySize(Some(cap)));
            }
        }
        if self.incoming.is_end_stream() {
            self.keep_connection();
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        if polled.is_ready() {
            self.waiting = false;
        }
        match polled {
            Poll::Ready(None) => {
                self.keep_connection();
                Poll::Ready(None)
            }
            // Cut off before: the end must not look like one.
            Poll::Ready(Some(_)) if self.open.is_none() => Poll::Ready(Some(Err(Error::ConnectionTerminated))),
            Poll::Ready(Some(Ok(frame))) => self.received(frame),
            Poll::Ready(Some(Err(error))) => self.fail(from_hyper(&error)),
            Poll::Pending => {
                // The clock runs while the guest waits for bytes, not while the bytes wait for the guest.
                if !self.waiting {
                    self.waiting = true;
                    let due = Instant::now() + self.idle;
                    self.silence.as_mut().reset(due);
                }
                match self.silence.as_mut().poll(cx) {
                    Poll::Ready(()) => self.fail(Error::ConnectionReadTimeout),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
