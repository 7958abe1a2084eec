//! A socket with deadlines: a visitor who sends no head, leaves a connection unused or takes no bytes is cut off here, for
//! HTTP/1.1 and h2c alike and before either is known.
//!
//! hyper's own header timeout arms a timer for every request and hyper has none for writing; here one timer a connection
//! is looked at lazily, so a busy connection never touches it.
//!
//! A visitor who speaks HTTP/1.0 takes the end of the connection for the end of the answer. Where that would be a lie the
//! connection is reset instead.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::config::Deadlines;
use super::connection::Peer;
use super::deadline::IdleTimer;

/// A stream that can end otherwise than in good order.
pub(super) trait Resettable {
    /// Makes the end that is to come a reset.
    fn reset_at_end(&self);
}

impl Resettable for TcpStream {
    fn reset_at_end(&self) {
        // A socket that refuses is gone already.
        let _ = rustix::net::sockopt::set_socket_linger(self, Some(Duration::ZERO));
    }
}

/// A stream under the deadlines of its [`Peer`].
pub(super) struct GuardedIo<S: Resettable> {
    stream: S,
    peer: Arc<Peer>,
    deadlines: Deadlines,
    reading: Pin<Box<Sleep>>,
    writing: IdleTimer,
    is_write_pending: bool,
}

impl<S: Resettable> GuardedIo<S> {
    /// Guards a stream that was accepted just now.
    pub(super) fn new(stream: S, peer: Arc<Peer>, deadlines: Deadlines) -> Self {
        let reading = Box::pin(sleep_until(Instant::now() + deadlines.first_head));
        Self {
            stream,
            peer,
            deadlines,
            reading,
            writing: IdleTimer::new(deadlines.write_idle),
            is_write_pending: false,
        }
    }

    /// Ready with an error once the peer has kept us waiting for a head, or for a next request, too long.
    fn poll_read_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let deadline = self.read_deadline();
        if let Some(deadline) = deadline.filter(|deadline| *deadline < self.reading.deadline()) {
            self.reading.as_mut().reset(deadline);
        }
        while self.reading.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            match self.read_deadline() {
                Some(deadline) if deadline <= now => return Poll::Ready(io::ErrorKind::TimedOut.into()),
                Some(deadline) => self.reading.as_mut().reset(deadline),
                // A request is being answered: its own deadlines hold meanwhile.
                None => self.reading.as_mut().reset(now + self.deadlines.keep_alive),
            }
        }
        Poll::Pending
    }

    /// Nobody who has yet to take an answer is late with the next request.
    fn read_deadline(&self) -> Option<Instant> {
        if self.is_write_pending { None } else { self.peer.read_deadline(&self.deadlines) }
    }

    fn guard_write<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.is_write_pending = written.is_pending();
        match written {
            Poll::Ready(result) => {
                self.writing.progress();
                self.peer.sent_bytes();
                Poll::Ready(result)
            }
            Poll::Pending => self.writing.poll_expired(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl<S: AsyncRead + Resettable + Unpin> AsyncRead for GuardedIo<S> {
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

impl<S: AsyncWrite + Resettable + Unpin> AsyncWrite for GuardedIo<S> {
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

impl<S: Resettable> Drop for GuardedIo<S> {
    fn drop(&mut self) {
        if self.peer.expects_end() {
            self.stream.reset_at_end();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use http::Version;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::edge::config::EdgeConfig;

    impl Resettable for DuplexStream {
        fn reset_at_end(&self) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_of_an_answer_that_is_over_for_us_gets_all_of_it() {
        let deadlines = EdgeConfig::new("localhost").deadlines;
        let peer = Peer::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
        peer.begin_request(Version::HTTP_11);
        peer.end_request();
        let (ours, mut theirs) = duplex(10);
        let (mut reader, mut writer) = tokio::io::split(GuardedIo::new(ours, peer, deadlines));
        let serving = tokio::spawn(async move {
            let (written, read) = tokio::join!(writer.write_all(&[b'x'; 100]), reader.read_u8());
            written.unwrap();
            (read.unwrap_err().kind(), Instant::now())
        });
        let began = Instant::now();
        let mut piece = [0; 10];
        for _ in 0..10 {
            tokio::time::sleep(deadlines.write_idle - Duration::from_secs(1)).await;
            theirs.read_exact(&mut piece).await.unwrap();
        }
        let sent = began + (deadlines.write_idle - Duration::from_secs(1)) * 9;
        let (error, ended) = serving.await.unwrap();
        assert_eq!(error, io::ErrorKind::TimedOut);
        let due = sent + deadlines.keep_alive;
        assert!((due..=due + Duration::from_secs(1)).contains(&ended), "{:?}", ended - began);
    }
}
