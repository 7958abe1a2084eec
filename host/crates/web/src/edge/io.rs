//! A socket with deadlines: a visitor who sends no head, leaves a connection unused or takes no bytes is cut off here, for
//! HTTP/1.1 and h2c alike and before either is known.
//!
//! hyper's own header timeout arms a timer for every request and hyper has none for writing; here one timer a connection
//! is looked at lazily, so a busy connection never touches it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::config::Deadlines;
use super::connection::Peer;
use super::deadline::IdleTimer;

/// A stream under the deadlines of its [`Peer`].
pub(super) struct GuardedIo<S> {
    stream: S,
    peer: Arc<Peer>,
    deadlines: Deadlines,
    reading: Pin<Box<Sleep>>,
    writing: IdleTimer,
}

impl<S> GuardedIo<S> {
    /// Guards a stream that was accepted just now.
    pub(super) fn new(stream: S, peer: Arc<Peer>, deadlines: Deadlines) -> Self {
        let reading = Box::pin(sleep_until(Instant::now() + deadlines.first_head));
        Self { stream, peer, deadlines, reading, writing: IdleTimer::new(deadlines.write_idle) }
    }

    /// Ready with an error once the peer has kept us waiting for a head, or for a next request, too long.
    fn poll_read_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let deadline = self.peer.read_deadline(&self.deadlines);
        if let Some(deadline) = deadline.filter(|deadline| *deadline < self.reading.deadline()) {
            self.reading.as_mut().reset(deadline);
        }
        while self.reading.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            match self.peer.read_deadline(&self.deadlines) {
                Some(deadline) if deadline <= now => return Poll::Ready(io::ErrorKind::TimedOut.into()),
                Some(deadline) => self.reading.as_mut().reset(deadline),
                // A request is being answered: its own deadlines hold meanwhile.
                None => self.reading.as_mut().reset(now + self.deadlines.keep_alive),
            }
        }
        Poll::Pending
    }

    fn guard_write<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match written {
            Poll::Ready(result) => {
                self.writing.progress();
                Poll::Ready(result)
            }
            Poll::Pending => self.writing.poll_expired(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GuardedIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(result) => {
                if buf.filled().len() > before {
                    self.peer.received_bytes();
                }
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_read_deadline(cx).map(Err),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GuardedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.guard_write(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.guard_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
