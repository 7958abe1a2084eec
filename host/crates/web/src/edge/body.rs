//! The body of every response, and the ledger that is closed with it.
//!
//! Invariant: whatever a request holds (its place in the Space, the connection's count of requests under way, the guest's
//! call) lives in the body, so the last byte, a broken stream and a visitor who left all end it the same way.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body::{Body as HttpBody, Frame, SizeHint};
use spaceport_control::ports::{Body, BodyError};
use spaceport_control::routes::{InFlight, RouteSlot};

use super::connection::Peer;
use super::deadline::IdleTimer;
use crate::middleware::{ACCESS_LOG, duration_ms};

/// The body of a response.
pub(super) struct EdgeBody {
    content: Content,
    ledger: Option<Ledger>,
}

enum Content {
    Empty,
    Full(Bytes),
    Stream { body: Body, idle: IdleTimer, has_ended: bool },
    Hub { body: axum::body::Body, has_ended: bool },
}

/// The guest was silent for too long in the middle of a body.
#[derive(Debug, thiserror::Error)]
#[error("the response's body was silent for too long")]
struct ResponseSilent;

impl EdgeBody {
    /// No body.
    pub(super) fn empty() -> Self {
        Self { content: Content::Empty, ledger: None }
    }

    /// These bytes.
    pub(super) fn full(bytes: Bytes) -> Self {
        Self { content: if bytes.is_empty() { Content::Empty } else { Content::Full(bytes) }, ledger: None }
    }

    /// What a Space or a file streams, with at most `idle` of silence in it.
    pub(super) fn stream(body: Body, idle: Duration) -> Self {
        if body.is_end_stream() {
            return Self::empty();
        }
        Self { content: Content::Stream { body, idle: IdleTimer::new(idle), has_ended: false }, ledger: None }
    }

    /// What the hub says.
    pub(super) fn hub(body: axum::body::Body) -> Self {
        Self { content: Content::Hub { body, has_ended: false }, ledger: None }
    }

    /// Puts the request's ledger under the body that ends it.
    pub(super) fn with_ledger(mut self, ledger: Ledger) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// Replaces the body of a stream by `wrap` of it.
    pub(super) fn map_stream(mut self, wrap: impl FnOnce(Body) -> Body) -> Self {
        let content = std::mem::replace(&mut self.content, Content::Empty);
        self.content = match content {
            Content::Stream { body, idle, has_ended } => Content::Stream { body: wrap(body), idle, has_ended },
            other => other,
        };
        self
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.content {
            Content::Empty => Poll::Ready(None),
            Content::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.content = Content::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Content::Stream { body, idle, has_ended } => match Pin::new(body).poll_frame(cx) {
                Poll::Pending => idle.poll_expired(cx).map(|()| Some(Err(ResponseSilent.into()))),
                Poll::Ready(frame) => {
                    idle.progress();
                    *has_ended = frame.is_none();
                    Poll::Ready(frame)
                }
            },
            Content::Hub { body, has_ended } => {
                let frame = std::task::ready!(Pin::new(body).poll_frame(cx));
                *has_ended = frame.is_none();
                Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
            }
        }
    }
}

impl HttpBody for EdgeBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = this.poll_content(cx);
        if let (Poll::Ready(Some(Ok(frame))), Some(ledger)) = (&frame, &mut this.ledger) {
            ledger.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Full(_) => false,
            Content::Stream { body, has_ended, .. } => *has_ended || body.is_end_stream(),
            Content::Hub { body, has_ended } => *has_ended || body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream { body, .. } => body.size_hint(),
            Content::Hub { body, .. } => body.size_hint(),
        }
    }
}

impl Drop for EdgeBody {
    fn drop(&mut self) {
        let is_complete = self.is_end_stream();
        if let Some(ledger) = &mut self.ledger {
            ledger.is_complete = is_complete;
        }
    }
}

/// What one request holds and what is to be said of it in the end.
pub(super) struct Ledger {
    /// When its head was complete.
    pub(super) started: Instant,
    /// Its id.
    pub(super) request_id: HeaderValue,
    peer: Arc<Peer>,
    space: Option<(Arc<RouteSlot>, InFlight)>,
    // Only where somebody reads the access log.
    line: Option<Box<(Method, Uri)>>,
    status: Option<StatusCode>,
    fault: Option<&'static str>,
    is_cache_hit: bool,
    bytes: u64,
    is_complete: bool,
}

impl Ledger {
    /// Opens the ledger of a request.
    pub(super) fn open<B>(peer: &Arc<Peer>, request: &Request<B>, request_id: HeaderValue) -> Self {
        peer.begin_request(request.version());
        let is_logged = tracing::enabled!(target: ACCESS_LOG, tracing::Level::INFO);
        Self {
            started: Instant::now(),
            request_id,
            peer: peer.clone(),
            space: None,
            line: is_logged.then(|| Box::new((request.method().clone(), request.uri().clone()))),
            status: None,
            fault: None,
            is_cache_hit: false,
            bytes: 0,
            is_complete: false,
        }
    }

    /// Leaves the access-log line to the hub, which answers the request.
    pub(super) fn leave_log_to_hub(&mut self) {
        self.line = None;
    }

    /// Holds the request's place in its Space from here on.
    pub(super) fn hold(&mut self, slot: Arc<RouteSlot>, in_flight: InFlight) {
        self.space = Some((slot, in_flight));
    }

    /// The response's head is known.
    pub(super) fn answered(&mut self, status: StatusCode, fault: Option<&'static str>, is_cache_hit: bool) {
        self.status = Some(status);
        self.fault = fault;
        self.is_cache_hit = is_cache_hit;
        if let Some((slot, _)) = &self.space {
            slot.metrics.record(self.started.elapsed(), fault.is_some(), is_cache_hit);
        }
    }

    fn log(&self, method: &Method, uri: &Uri) {
        let space = self.space.as_ref().map(|(slot, _)| slot.entry.load_full());
        let space = space.as_ref().map(|entry| tracing::field::display(&entry.path));
        // Never the query: tokens travel there.
        tracing::info!(
            target: ACCESS_LOG,
            request_id = self.request_id.to_str().unwrap_or_default(),
            door = "space",
            space,
            peer = %self.peer.ip,
            method = %method,
            path = uri.path(),
            // The code that proxies use for a visitor who left before there was an answer.
            status = self.status.map_or(499, |status| status.as_u16()),
            duration_ms = duration_ms(self.started.elapsed()),
            bytes = self.bytes,
            error = self.fault,
            cached = self.is_cache_hit,
            complete = self.is_complete,
            "request"
        );
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.peer.end_request();
        if let Some((slot, _)) = &self.space {
            slot.metrics.record_bytes(self.bytes);
        }
        if let Some(line) = &self.line {
            self.log(&line.0, &line.1);
        }
    }
}
