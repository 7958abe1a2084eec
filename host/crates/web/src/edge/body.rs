//! The body of every response, and the ledger that is closed with it.
//!
//! Invariant: whatever a request holds (its place in the Space, the connection's count of requests under way, the guest's
//! call) lives in the body, so the last byte, a broken stream and a visitor who left all end it the same way.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use spaceport_control::ports::{Body, BodyError};
use spaceport_control::routes::InFlight;

use super::connection::Peer;
use super::context::{self, TRACE_ID};
use super::headers;
use super::stall::{self, Watched};
use crate::middleware::{ACCESS_LOG, duration_ms};

/// Bytes handed to h2 at a time: it takes what it is given whole, and what it was given no longer counts as under way.
const H2_PIECE: usize = 64 << 10;

/// The body of a response.
pub(super) struct EdgeBody {
    content: Content,
    ledger: Option<Ledger>,
}

enum Content {
    Empty,
    Full { bytes: Bytes, piece: usize },
    Stream { body: Body, has_ended: bool },
    Hub { body: axum::body::Body, has_ended: bool },
    Watched(Watched<EdgeBody>),
}

impl EdgeBody {
    /// No body.
    pub(super) fn empty() -> Self {
        Self { content: Content::Empty, ledger: None }
    }

    /// These bytes.
    pub(super) fn full(bytes: Bytes) -> Self {
        let content = if bytes.is_empty() { Content::Empty } else { Content::Full { bytes, piece: usize::MAX } };
        Self { content, ledger: None }
    }

    /// What a Space or a file streams. Silence in it is for whoever makes it to end.
    pub(super) fn stream(body: Body) -> Self {
        if body.is_end_stream() {
            return Self::empty();
        }
        Self { content: Content::Stream { body, has_ended: false }, ledger: None }
    }

    /// What the hub says.
    pub(super) fn hub(body: axum::body::Body) -> Self {
        Self { content: Content::Hub { body, has_ended: false }, ledger: None }
    }

    /// Puts the request's ledger under the body that ends it. On h2 that is let go with everything it holds once the
    /// visitor takes no more of it for as long as `patience`.
    pub(super) fn under(mut self, ledger: Ledger, patience: Duration) -> Self {
        let (is_h2, is_empty) = (ledger.version == Version::HTTP_2, HttpBody::is_end_stream(&self));
        ledger.peer.expect_end(ledger.version == Version::HTTP_10 && !is_empty);
        self.ledger = Some(ledger);
        if let (true, Content::Full { bytes, piece }) = (is_h2, &mut self.content) {
            *piece = H2_PIECE;
            if bytes.len() <= H2_PIECE {
                return self;
            }
        }
        match is_h2 && !is_empty {
            true => Self { content: Content::Watched(stall::watch(self, patience)), ledger: None },
            false => self,
        }
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.content {
            Content::Empty => Poll::Ready(None),
            Content::Full { bytes, piece } => {
                let data = bytes.split_to(bytes.len().min(*piece));
                if bytes.is_empty() {
                    self.content = Content::Empty;
                }
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Content::Stream { body, has_ended } => {
                let mut frame = ready!(Pin::new(body).poll_frame(cx));
                *has_ended = frame.is_none();
                if let Some(trailers) = frame.as_mut().and_then(|frame| frame.as_mut().ok()?.trailers_mut()) {
                    headers::clean_response_trailers(trailers);
                }
                Poll::Ready(frame)
            }
            Content::Hub { body, has_ended } => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                *has_ended = frame.is_none();
                Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
            }
            Content::Watched(watched) => Pin::new(watched).poll_frame(cx),
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
            // An h2 connection may hold the last bytes back for as long as its peer likes; the request is over.
            if this.is_end_stream() {
                this.close();
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Full { .. } => false,
            Content::Stream { body, has_ended } => *has_ended || body.is_end_stream(),
            Content::Hub { body, has_ended } => *has_ended || body.is_end_stream(),
            Content::Watched(watched) => watched.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Full { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream { body, .. } => body.size_hint(),
            Content::Hub { body, .. } => body.size_hint(),
            Content::Watched(watched) => watched.size_hint(),
        }
    }
}

impl EdgeBody {
    fn close(&mut self) {
        let is_complete = self.is_end_stream();
        if let Some(mut ledger) = self.ledger.take() {
            ledger.is_complete = is_complete;
        }
    }
}

impl Drop for EdgeBody {
    fn drop(&mut self) {
        self.close();
    }
}

/// What one request holds and what is to be said of it in the end.
pub(super) struct Ledger {
    /// When its head was complete.
    pub(super) started: Instant,
    /// Its id.
    pub(super) request_id: HeaderValue,
    /// The version it came in.
    pub(super) version: Version,
    /// The visitor's address.
    pub(super) client_ip: IpAddr,
    peer: Arc<Peer>,
    space: Option<InFlight>,
    // Only where somebody reads the access log.
    line: Option<Box<Line>>,
    status: Option<StatusCode>,
    fault: Option<&'static str>,
    is_cache_hit: bool,
    bytes: u64,
    is_complete: bool,
}

/// What the access log says of a request's head.
pub(super) struct Line {
    door: &'static str,
    method: Method,
    uri: Uri,
    host: Option<HeaderValue>,
    traceparent: Option<HeaderValue>,
}

impl Line {
    fn of<B>(request: &Request<B>) -> Box<Self> {
        let headers = request.headers();
        Box::new(Self {
            door: "space",
            method: request.method().clone(),
            uri: request.uri().clone(),
            host: headers.get(header::HOST).cloned(),
            traceparent: context::given_traceparent(headers).cloned(),
        })
    }

    fn host(&self) -> Option<&str> {
        let named = self.uri.authority().map(|authority| authority.as_str());
        named.or_else(|| self.host.as_ref()?.to_str().ok())
    }

    /// The trace that the request belongs to: the visitor's, else the one that begins here under the request's id.
    fn trace_id<'a>(&'a self, request_id: &'a HeaderValue) -> &'a str {
        let given = self.traceparent.as_ref().and_then(|value| value.to_str().ok()?.get(TRACE_ID));
        given.unwrap_or_else(|| request_id.to_str().unwrap_or_default())
    }
}

impl Ledger {
    /// Opens the ledger of a request.
    pub(super) fn open<B>(peer: &Arc<Peer>, client_ip: IpAddr, request: &Request<B>, request_id: HeaderValue) -> Self {
        peer.begin_request(request.version());
        let is_logged = tracing::enabled!(target: ACCESS_LOG, tracing::Level::INFO);
        Self {
            started: Instant::now(),
            request_id,
            version: request.version(),
            client_ip,
            peer: peer.clone(),
            space: None,
            line: is_logged.then(|| Line::of(request)),
            status: None,
            fault: None,
            is_cache_hit: false,
            bytes: 0,
            is_complete: false,
        }
    }

    /// Leaves the access-log line to the hub, which answers the request.
    pub(super) fn leave_log_to_hub(&mut self) -> Option<Box<Line>> {
        self.line.take()
    }

    /// Writes the line after all, since the hub did not.
    pub(super) fn log_for_hub(&mut self, line: Option<Box<Line>>) {
        self.line = line;
        if let Some(line) = &mut self.line {
            line.door = "hub";
        }
    }

    /// The other end of the connection.
    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Holds the request's place in its Space from here on.
    pub(super) fn hold(&mut self, in_flight: InFlight) {
        self.space = Some(in_flight);
    }

    /// Whether the request has its place in a Space.
    pub(super) fn is_held(&self) -> bool {
        self.space.is_some()
    }

    /// The response's head is known.
    pub(super) fn answered(&mut self, status: StatusCode, is_cache_hit: bool) {
        self.record(status, false, is_cache_hit);
    }

    /// What came after the response, in place of a body, has ended.
    pub(super) fn end_tunnel(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.is_complete = true;
    }

    /// The response is one in place of the Space's; `is_fault` if that is the Space's or the host's doing.
    pub(super) fn refused(&mut self, status: StatusCode, code: &'static str, is_fault: bool) {
        self.fault = Some(code);
        self.record(status, is_fault, false);
    }

    fn record(&mut self, status: StatusCode, is_fault: bool, is_cache_hit: bool) {
        self.status = Some(status);
        self.is_cache_hit = is_cache_hit;
        if let Some(place) = &self.space {
            place.slot().metrics.record(self.started.elapsed(), is_fault, is_cache_hit);
        }
    }

    fn log(&self, line: &Line) {
        let space = self.space.as_ref().map(|place| place.slot().entry.load_full());
        let space = space.as_ref().map(|entry| tracing::field::display(&entry.path));
        // Never the query: tokens travel there.
        tracing::info!(
            target: ACCESS_LOG,
            request_id = self.request_id.to_str().unwrap_or_default(),
            trace_id = line.trace_id(&self.request_id),
            door = line.door,
            space,
            client = %self.client_ip,
            peer = %self.peer.ip,
            version = ?self.version,
            method = %line.method,
            host = line.host(),
            path = line.uri.path(),
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
        if self.is_complete {
            self.peer.expect_end(false);
        }
        self.peer.end_request();
        if let Some(place) = &self.space {
            place.slot().metrics.record_bytes(self.bytes);
        }
        if let Some(line) = &self.line {
            self.log(line);
        }
    }
}
