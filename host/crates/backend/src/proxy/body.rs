//! The body of an instance's answer: broken off when it is silent for too long, and the request's place until it ends.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::{Place, ProxyError};

/// The body of an answer.
pub struct ProxyBody {
    body: Incoming,
    silence: Duration,
    /// Made by the first wait, and used again.
    timer: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
    _place: Place,
}

impl ProxyBody {
    pub(super) fn new(body: Incoming, silence: Duration, place: Place) -> Self {
        Self { body, silence, timer: None, is_waiting: false, _place: place }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let silence = self.silence;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(silence)));
        if !std::mem::replace(&mut self.is_waiting, true) {
            timer.as_mut().reset(Instant::now() + silence);
        }
        timer.as_mut().poll(cx)
    }
}

impl Body for ProxyBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                this.is_waiting = false;
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                ready!(this.poll_silence(cx));
                Poll::Ready(Some(Err(ProxyError::Silent(this.silence).into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
