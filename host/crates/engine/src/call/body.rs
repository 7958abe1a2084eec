//! The body of an answer on its way out.
//!
//! A guest that dies in the middle must not seem to have finished: wasmtime ends such a body cleanly, so this wrapper
//! asks the request's ticket before it believes an end. It also tells the instance when the client is gone, and keeps
//! the request's place until the last byte.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use wasmtime_wasi_http::WasiBody;

use crate::call::Place;
use crate::pool::ticket::Ticket;

/// Whatever ends a body early.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// The guest's answer broke off: its instance ended, or a deadline passed.
#[derive(Debug, thiserror::Error)]
#[error("the app's answer broke off")]
pub struct BrokenOff;

/// Calls a request abandoned when dropped, unless its answer is out.
pub(crate) struct Abandon(Arc<Ticket>);

impl Abandon {
    pub(crate) fn new(ticket: Arc<Ticket>) -> Self {
        Self(ticket)
    }
}

impl Drop for Abandon {
    fn drop(&mut self) {
        if !self.0.is_finished() {
            self.0.abandon();
        }
    }
}

/// See the module.
pub(crate) struct GuestBody {
    inner: WasiBody,
    /// Bytes still to come, where the head says how many.
    left: Option<u64>,
    abandon: Abandon,
    place: Option<Place>,
}

impl GuestBody {
    /// `length` is what the head says. Whoever sends such a body stops reading at its last byte, so it is out then.
    pub(crate) fn new(inner: WasiBody, length: Option<u64>, abandon: Abandon, place: Place) -> Self {
        let mut body = Self { inner, left: length, abandon, place: Some(place) };
        if body.is_out() {
            body.finish();
        }
        body
    }

    fn is_out(&self) -> bool {
        self.left == Some(0) || http_body::Body::is_end_stream(&self.inner)
    }

    fn finish(&mut self) {
        self.abandon.0.finish();
        self.place = None;
    }

    fn break_off(&mut self) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.place = None;
        Poll::Ready(Some(Err(BrokenOff.into())))
    }
}

impl http_body::Body for GuestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.place.is_none() {
            return if self.abandon.0.is_finished() { Poll::Ready(None) } else { self.break_off() };
        }
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Pending => {
                self.abandon.0.starve(cx.waker());
                // Registered first, asked after: an end in between is seen by one of the two.
                if self.abandon.0.is_broken() { self.break_off() } else { Poll::Pending }
            }
            Poll::Ready(None) if self.abandon.0.is_broken() => self.break_off(),
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.abandon.0.feed();
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.left = self.left.map(|left| left.saturating_sub(length));
                if self.is_out() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.place = None;
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.abandon.0.is_finished()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The body of a request on its way in: tells the ticket when the guest takes a piece.
pub(crate) struct RequestBody<B> {
    inner: B,
    ticket: Arc<Ticket>,
}

impl<B> RequestBody<B>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    /// `inner` as a guest gets it.
    pub(crate) fn boxed(inner: B, ticket: &Arc<Ticket>) -> WasiBody {
        match inner.is_end_stream() {
            true => Empty::new().map_err(|never| match never {}).boxed_unsync(),
            false => Self { inner, ticket: ticket.clone() }.boxed_unsync(),
        }
    }
}

impl<B> http_body::Body for RequestBody<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = wasmtime_wasi_http::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(_))) = &frame {
            self.ticket.receive();
        }
        frame.map_err(|error| {
            let error = error.into();
            tracing::debug!(%error, "a request's body broke off");
            wasmtime_wasi_http::Error::ConnectionTerminated
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
