//! A deadline on silence: armed when something is waited for, forgotten when something came.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Allows `limit` of silence. Costs nothing until the first wait; a timer once made is used again.
pub(super) struct IdleTimer {
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    is_armed: bool,
}

impl IdleTimer {
    /// A timer that is not armed.
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, sleep: None, is_armed: false }
    }

    /// Something came.
    pub(super) fn progress(&mut self) {
        self.is_armed = false;
    }

    /// To be polled after a `Pending`: ready once the silence has lasted too long.
    pub(super) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if !self.is_armed {
            sleep.as_mut().reset(Instant::now() + limit);
            self.is_armed = true;
        }
        sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_counted_from_the_last_progress() {
        let limit = Duration::from_secs(30);
        let mut timer = IdleTimer::new(limit);
        let started = Instant::now();
        assert!(poll_fn(|cx| Poll::Ready(timer.poll_expired(cx))).await.is_pending());
        tokio::time::advance(Duration::from_secs(20)).await;
        timer.progress();
        poll_fn(|cx| timer.poll_expired(cx)).await;
        assert_eq!(started.elapsed().as_secs(), 50);
    }
}
