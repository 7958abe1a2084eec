//! An h2 stream whose visitor takes no more: the request behind it is let go, with all that it holds.
//!
//! On HTTP/1.1 the socket itself shows that nobody reads. On h2 the connection may be lively while one stream has no
//! window; hyper then does not ask for the next frame, so nothing within the body would ever run. A small task holds the
//! other end of it and drops the body when a frame was sent and the next one not asked for in time.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;
use spaceport_control::ports::BodyError;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

/// The visitor took no more of the stream.
#[derive(Debug, thiserror::Error)]
#[error("the visitor took no more of the response")]
struct Stalled;

struct Shared<B> {
    // None once it was let go. On the heap, since bodies may hold watched ones.
    body: Option<Box<B>>,
    // When a frame was handed over that is still the last one asked for.
    waiting_since: Option<Instant>,
}

/// A body that is let go once its reader takes no more.
pub(super) struct Watched<B> {
    shared: Arc<Mutex<Shared<B>>>,
    watchdog: AbortHandle,
}

/// Lets `body` go once nobody has asked for its next frame for as long as `patience`.
pub(super) fn watch<B: Send + 'static>(body: B, patience: Duration) -> Watched<B> {
    let shared = Arc::new(Mutex::new(Shared { body: Some(Box::new(body)), waiting_since: Some(Instant::now()) }));
    let watchdog = tokio::spawn(watch_over(Arc::downgrade(&shared), patience)).abort_handle();
    Watched { shared, watchdog }
}

async fn watch_over<B>(shared: Weak<Mutex<Shared<B>>>, patience: Duration) {
    loop {
        let Some(deadline) = shared.upgrade().map(|shared| shared.lock().waiting_since) else { return };
        let deadline = deadline.unwrap_or_else(Instant::now) + patience;
        sleep_until(deadline).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut state = shared.lock();
        if state.waiting_since.is_some_and(|since| since + patience <= Instant::now()) {
            let body = state.body.take();
            drop(state);
            drop(body);
            return;
        }
    }
}

impl<B: HttpBody<Data = Bytes, Error = BodyError> + Unpin> HttpBody for Watched<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut shared = self.shared.lock();
        let Some(body) = &mut shared.body else { return Poll::Ready(Some(Err(Stalled.into()))) };
        let frame = Pin::new(&mut **body).poll_frame(cx);
        shared.waiting_since = frame.is_ready().then(Instant::now);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.shared.lock().body.as_ref().is_some_and(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.shared.lock().body.as_ref().map(|body| body.size_hint()).unwrap_or_default()
    }
}

impl<B> Drop for Watched<B> {
    fn drop(&mut self) {
        self.watchdog.abort();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};
    use spaceport_control::ports::Body;

    use super::*;

    fn body() -> (Body, Arc<()>) {
        let alive = Arc::new(());
        let held = alive.clone();
        let frames = stream::repeat_with(move || {
            let _ = &held;
            Ok(Frame::data(Bytes::from_static(b"x")))
        });
        (StreamBody::new(frames).boxed_unsync(), alive)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_nobody_reads_is_let_go() {
        let (body, alive) = body();
        let mut watched = watch(body, Duration::from_secs(60));
        for _ in 0..3 {
            assert!(watched.frame().await.unwrap().is_ok());
            tokio::time::sleep(Duration::from_secs(50)).await;
        }
        assert_eq!(Arc::strong_count(&alive), 2);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(Arc::strong_count(&alive), 1);
        assert!(watched.frame().await.unwrap().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_guest_that_is_slow_is_not_a_visitor_who_is() {
        let slow = stream::once(async {
            tokio::time::sleep(Duration::from_secs(600)).await;
            Ok(Frame::data(Bytes::from_static(b"x")))
        });
        let mut watched = watch(StreamBody::new(slow).boxed_unsync(), Duration::from_secs(60));
        assert!(watched.frame().await.unwrap().is_ok());
    }
}
