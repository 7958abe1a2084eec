//! The body of a request on its way to a Space or the hub: counted, and cut when it stops coming.
//!
//! The reader of the body sees an error either way; the [`BodyWatch`] tells the proxy as well, which gives up the guest's
//! call and answers in the visitor's words.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body as HttpBody, Frame, SizeHint};
use spaceport_control::ports::BodyError;

use super::deadline::IdleTimer;

/// Why a request's body was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyCut {
    /// Nothing came for too long.
    #[error("the request's body stopped coming")]
    Idle = 1,
    /// More came than is allowed.
    #[error("the request's body is too large")]
    TooLarge = 2,
}

/// Tells whoever answers the request that its body was cut.
#[derive(Default)]
pub(super) struct BodyWatch {
    cut: AtomicU8,
    waker: AtomicWaker,
}

impl BodyWatch {
    /// Ready once the body was cut.
    pub(super) fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<BodyCut> {
        self.waker.register(cx.waker());
        match self.cut.load(Ordering::Acquire) {
            1 => Poll::Ready(BodyCut::Idle),
            2 => Poll::Ready(BodyCut::TooLarge),
            _ => Poll::Pending,
        }
    }

    fn tell(&self, cut: BodyCut) {
        self.cut.store(cut as u8, Ordering::Release);
        self.waker.wake();
    }
}

/// A request's body under a deadline on silence and a limit on size.
pub(super) struct WatchedBody<B> {
    inner: B,
    left: u64,
    idle: IdleTimer,
    watch: Arc<BodyWatch>,
}

impl<B> WatchedBody<B> {
    /// Watches `inner`, of which at most `limit` bytes are passed on.
    pub(super) fn new(inner: B, limit: u64, idle: Duration, watch: Arc<BodyWatch>) -> Self {
        Self { inner, left: limit, idle: IdleTimer::new(idle), watch }
    }

    fn cut(&self, cut: BodyCut) -> Option<Result<Frame<Bytes>, BodyError>> {
        self.watch.tell(cut);
        Some(Err(cut.into()))
    }
}

impl<B> HttpBody for WatchedBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(this.idle.poll_expired(cx));
                return Poll::Ready(this.cut(BodyCut::Idle));
            }
        };
        this.idle.progress();
        if let Some(Ok(frame)) = &frame {
            let size = frame.data_ref().map_or(0, |data| data.len() as u64);
            let Some(left) = this.left.checked_sub(size) else {
                return Poll::Ready(this.cut(BodyCut::TooLarge));
            };
            this.left = left;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
