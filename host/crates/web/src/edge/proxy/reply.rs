//! From what the guest answered to what the visitor gets: files sent in its place, what may be kept, and the rest as it
//! comes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header;
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use spaceport_control::ports::{Body, BodyError, Mount};
use spaceport_core::fault::Fault;

use crate::edge::Edge;
use crate::edge::body::EdgeBody;
use crate::edge::cache::{self, CDN_CACHE_CONTROL, Freshness, MAX_BODY, Stored, StoredBody};
use crate::edge::compress;
use crate::edge::conditional::Wants;
use crate::edge::headers::{self, X_SENDFILE};
use crate::edge::refusal::Refusal;
use crate::edge::respond::{self, Representation, Source};
use crate::edge::sendfile::{self, Content, Opened};

use super::Site;
use super::kept::{Kept, Shelf};
use super::space::GuestRequest;

/// Files up to this size that are not kept are still read in one go: one trip to the blocking pool instead of several.
const READ_WHOLE: u64 = 64 << 10;
/// The type of server-sent events.
const EVENT_STREAM: &[u8] = b"text/event-stream";

/// What a guest's answer is judged by.
pub(super) struct Reply<'a> {
    pub(super) edge: &'a Edge,
    pub(super) shelf: Shelf<'a>,
    pub(super) app: &'a Mount,
    pub(super) site: &'a Site,
    /// What the visitor wants, on GET and HEAD.
    pub(super) wants: Option<&'a Wants>,
    /// The request as the guest got it.
    pub(super) parts: &'a GuestRequest,
    /// Whether the answer may be another visitor's too.
    pub(super) may_store: bool,
}

impl Reply<'_> {
    /// The visitor's response.
    pub(super) async fn answer(&self, response: Response<Body>) -> Result<Response<EdgeBody>, Refusal> {
        let (mut head, body) = response.into_parts();
        if head.status.is_informational() {
            return Err(Fault::GuestBadResponse("an interim status is no answer".into()).into());
        }
        let path = head.headers.remove(X_SENDFILE);
        let control = head.headers.remove(CDN_CACHE_CONTROL);
        headers::clean_response(&mut head.headers, self.site.host());
        let freshness = control.and_then(|control| self.freshness(&head, &control));
        if let Some(path) = path {
            drop(body);
            return self.send_file(head, &path, freshness).await;
        }
        match (self.wants, freshness) {
            (Some(wants), Some(freshness)) => self.keep(wants, head, body, freshness).await,
            (Some(wants), None) if self.shelf.entry.sdk.is_plugin() => {
                Ok(self.represent(wants, head, Source::Stream(body), false))
            }
            _ => Ok(self.pass(head, body)),
        }
    }

    /// How long the answer may be kept; not at all if the guest saw a request that was not for the whole, nor if it is a
    /// stream of events, which nobody can wait to the end of.
    fn freshness(&self, head: &Parts, control: &HeaderValue) -> Option<Freshness> {
        let is_whole = self.parts.method == Method::GET && !self.parts.headers.contains_key(header::RANGE);
        if !self.may_store || !is_whole || is_event_stream(&head.headers) {
            return None;
        }
        cache::freshness(&self.parts.uri, head.status, &head.headers, control)
    }

    /// The guest's answer as it comes.
    fn pass(&self, mut head: Parts, body: Body) -> Response<EdgeBody> {
        let has_no_body = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if head.status == StatusCode::NO_CONTENT {
            head.headers.remove(header::CONTENT_LENGTH);
        }
        if has_no_body || self.parts.method == Method::HEAD {
            return Response::from_parts(head, EdgeBody::empty());
        }
        Response::from_parts(head, EdgeBody::stream(body))
    }

    /// What the visitor wants of a representation.
    fn represent(&self, wants: &Wants, head: Parts, source: Source, allows_ranges: bool) -> Response<EdgeBody> {
        let is_compressible = self.is_compressible(&head);
        let Parts { status, headers, .. } = head;
        let representation = Representation { status, headers, source, allows_ranges, is_compressible };
        respond::respond(wants, representation, &self.edge.budget)
    }

    /// A file of the revision in place of the guest's body.
    async fn send_file(
        &self,
        mut head: Parts,
        path: &HeaderValue,
        freshness: Option<Freshness>,
    ) -> Result<Response<EdgeBody>, Refusal> {
        let bad = |why: String| Refusal::from(Fault::GuestBadResponse(why));
        if head.status != StatusCode::OK {
            return Err(bad(format!("x-sendfile needs status 200, not {}", head.status)));
        }
        let path = String::from_utf8(path.as_bytes().to_vec()).map_err(|_| bad("x-sendfile is not UTF-8".into()))?;
        let read_whole = if freshness.is_some() { MAX_BODY } else { READ_WHOLE };
        let opened = sendfile::open(self.app, path.clone(), read_whole, &self.edge.budget).await;
        let Opened { length, tag, content } = opened.map_err(|error| {
            tracing::debug!(space = %self.shelf.entry.path, file = path, error = %error, "a guest names a file that cannot be sent");
            bad(format!("x-sendfile names no file: {path}"))
        })?;
        head.headers.remove(header::CONTENT_LENGTH);
        if !head.headers.contains_key(header::ETAG)
            && let Ok(tag) = HeaderValue::try_from(tag)
        {
            head.headers.insert(header::ETAG, tag);
        }
        let everything = Wants::whole();
        let wants = self.wants.unwrap_or(&everything);
        match (content, freshness) {
            (Content::Whole(bytes), Some(freshness)) => Ok(self.store(wants, head, bytes, true, freshness).await),
            (Content::File(file), Some(freshness)) if length > MAX_BODY => {
                let body = StoredBody::File { app: self.app.clone(), path: path.into(), length };
                let stored = self.keep_head(head, body, true, freshness);
                let response = respond::from_stored_file(wants, &stored, (file, length), &self.edge.budget);
                Ok(from_guest(response))
            }
            (Content::Whole(bytes), None) => Ok(self.represent(wants, head, Source::Bytes(bytes), true)),
            (Content::File(file), _) => Ok(self.represent(wants, head, Source::File { file, length }, true)),
        }
    }

    /// Collects an answer that may be kept and keeps it; one that is too large goes on as it comes.
    async fn keep(
        &self,
        wants: &Wants,
        mut head: Parts,
        body: Body,
        freshness: Freshness,
    ) -> Result<Response<EdgeBody>, Refusal> {
        let allows_ranges = head.headers.get(header::ACCEPT_RANGES).is_some_and(|value| value == "bytes");
        let Some(room) = self.edge.budget.room(body.size_hint().exact().unwrap_or(MAX_BODY).min(MAX_BODY)) else {
            return Ok(self.represent(wants, head, Source::Stream(body), false));
        };
        match collect(body).await.map_err(broken)? {
            Collected::Whole(bytes) => {
                head.headers.remove(header::CONTENT_LENGTH);
                Ok(self.store(wants, head, room.hold(bytes), allows_ranges, freshness).await)
            }
            Collected::TooLarge(body) => Ok(self.represent(wants, head, Source::Stream(body), false)),
        }
    }

    async fn store(
        &self,
        wants: &Wants,
        head: Parts,
        bytes: Bytes,
        allows_ranges: bool,
        freshness: Freshness,
    ) -> Response<EdgeBody> {
        let plain = bytes.clone();
        let stored = self.keep_head(head, StoredBody::Bytes(bytes), allows_ranges, freshness);
        let kept = Kept { wants: wants.clone(), stored };
        // Never absent: what is in memory does not go away.
        let response = kept.answer(self.edge).await.unwrap_or_else(|| Response::new(EdgeBody::full(plain)));
        from_guest(response)
    }

    /// Keeps a response.
    fn keep_head(&self, mut head: Parts, body: StoredBody, allows_ranges: bool, freshness: Freshness) -> Arc<Stored> {
        let length = match &body {
            StoredBody::Bytes(bytes) => bytes.len() as u64,
            StoredBody::File { length, .. } => *length,
        };
        let is_compressible = self.is_compressible(&head) && length >= compress::MIN_SIZE;
        if is_compressible {
            respond::append_vary(&mut head.headers);
        }
        let stored = Stored::new((head.status, head.headers, body), allows_ranges, is_compressible, freshness);
        self.shelf.put(self.edge, &self.parts.uri, &self.parts.headers, stored.clone());
        stored
    }

    fn is_compressible(&self, head: &Parts) -> bool {
        self.shelf.entry.sdk.is_plugin() && head.status == StatusCode::OK && compress::is_compressible(&head.headers)
    }
}

/// An answer that comes from the guest itself, though by way of the cache.
fn from_guest(mut response: Response<EdgeBody>) -> Response<EdgeBody> {
    response.headers_mut().remove(header::AGE);
    response
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    kind.get(..EVENT_STREAM.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(EVENT_STREAM))
}

/// A body that broke before anything of it was sent: the visitor can still be told.
fn broken(error: BodyError) -> Refusal {
    match error.downcast::<Fault>() {
        Ok(fault) => Refusal::Fault(*fault),
        Err(error) => Fault::GuestBadResponse(error.to_string()).into(),
    }
}

enum Collected {
    Whole(Bytes),
    TooLarge(Body),
}

/// Reads a body to its end, or to the size that is not kept.
async fn collect(mut body: Body) -> Result<Collected, BodyError> {
    let mut frames = VecDeque::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        let length = frame.data_ref().map(Bytes::len);
        frames.push_back(frame);
        size += length.unwrap_or(0) as u64;
        // Trailers come after the length is known to nobody but the visitor.
        if size > MAX_BODY || length.is_none() {
            return Ok(Collected::TooLarge(Replay { frames, rest: body }.boxed_unsync()));
        }
    }
    let mut data = frames.into_iter().filter_map(|frame| frame.into_data().ok());
    let first = data.next().unwrap_or_default();
    let Some(second) = data.next() else { return Ok(Collected::Whole(first)) };
    let mut joined = BytesMut::with_capacity(size as usize);
    for data in [first, second].into_iter().chain(data) {
        joined.extend_from_slice(&data);
    }
    Ok(Collected::Whole(joined.freeze()))
}

/// What was read of a body, and the rest.
struct Replay {
    frames: VecDeque<Frame<Bytes>>,
    rest: Body,
}

impl HttpBody for Replay {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
