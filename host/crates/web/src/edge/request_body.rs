//! The body of a request on its way to a Space or the hub: counted, cleaned, and cut when it stops coming.
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

use tokio::time::Instant;

use super::deadline::IdleTimer;
use super::headers;

/// How long a visitor may keep us waiting for a body, all waits together, before the body must have come at a rate.
const RATE_GRACE: Duration = Duration::from_secs(30);
/// Bytes a second that a body must come at by then: a tenth of what the slowest mobile networks carry. A visitor who
/// sends a byte at a time to hold a guest is slower.
const MIN_RATE: u64 = 500;

/// Why a request's body was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyCut {
    /// Nothing came for too long, or too little for longer.
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
    pace: Pace,
    watch: Arc<BodyWatch>,
}

/// How fast a body comes while it is waited for. Time in which nobody asks for it is not the visitor's.
#[derive(Default)]
struct Pace {
    received: u64,
    waited: Duration,
    waiting_since: Option<Instant>,
}

impl Pace {
    fn wait(&mut self) {
        self.waiting_since.get_or_insert_with(Instant::now);
    }

    /// Counts what came; whether it has come too slowly.
    fn receive(&mut self, bytes: u64) -> bool {
        self.received += bytes;
        let Some(since) = self.waiting_since.take() else { return false };
        self.waited += since.elapsed();
        self.waited > RATE_GRACE && self.received < self.waited.as_secs() * MIN_RATE
    }
}

impl<B> WatchedBody<B> {
    /// Watches `inner`, of which at most `limit` bytes are passed on.
    pub(super) fn new(inner: B, limit: u64, idle: Duration, watch: Arc<BodyWatch>) -> Self {
        Self { inner, left: limit, idle: IdleTimer::new(idle), pace: Pace::default(), watch }
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
        let mut frame = match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                this.pace.wait();
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
            if this.pace.receive(size) {
                return Poll::Ready(this.cut(BodyCut::Idle));
            }
        }
        if let Some(trailers) = frame.as_mut().and_then(|frame| frame.as_mut().ok()?.trailers_mut()) {
            headers::clean_request_trailers(trailers);
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

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http::{HeaderMap, HeaderValue};
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    /// A body of `pieces` frames of `size` bytes, one a second.
    fn paced(pieces: usize, size: usize) -> impl HttpBody<Data = Bytes, Error = BodyError> + Unpin {
        let frames = stream::iter(0..pieces).then(move |_| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, BodyError>(Frame::data(Bytes::from(vec![b'x'; size])))
        });
        StreamBody::new(frames.boxed())
    }

    fn watched<B>(inner: B) -> (WatchedBody<B>, Arc<BodyWatch>) {
        let watch = Arc::new(BodyWatch::default());
        (WatchedBody::new(inner, u64::MAX, Duration::from_secs(30), watch.clone()), watch)
    }

    #[tokio::test(start_paused = true)]
    async fn a_dribbled_body_is_cut_and_a_slow_one_is_not() {
        let (dribbled, watch) = watched(paced(100, 10));
        assert!(dribbled.collect().await.is_err());
        assert_eq!(watch.cut.load(Ordering::Acquire), BodyCut::Idle as u8);
        let (slow, _) = watched(paced(100, 600));
        assert_eq!(slow.collect().await.unwrap().to_bytes().len(), 60_000);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nobody_reads_is_not_the_visitors() {
        let (mut body, _) = watched(paced(40, 10));
        for _ in 0..20 {
            assert!(body.frame().await.unwrap().is_ok());
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }

    #[tokio::test]
    async fn trailers_cannot_say_what_a_head_may_not() {
        let mut trailers = HeaderMap::new();
        for name in ["x-sum", "x-forwarded-for", "authorization", "content-length", "x-spaceport-hop", "te", "cookie"] {
            trailers.insert(name, HeaderValue::from_static("1"));
        }
        let frames = stream::iter([Ok::<_, BodyError>(Frame::trailers(trailers))]);
        let (body, _) = watched(StreamBody::new(frames));
        let collected = body.collect().await.unwrap();
        let names: Vec<_> = collected.trailers().unwrap().keys().collect();
        assert_eq!(names, ["x-sum"]);
    }
}
