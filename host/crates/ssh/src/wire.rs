//! A connection's bytes, until it is cut. What reads and writes them then sees an error, whatever it was waiting for: the
//! protocol's own way to end a connection needs a client that plays along.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A stream that can be cut.
pub(crate) struct Wire<S> {
    stream: S,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    is_cut: bool,
}

impl<S> Wire<S> {
    pub(crate) fn new(stream: S, cut: CancellationToken) -> Self {
        Self { stream, cut: Box::pin(cut.cancelled_owned()), is_cut: false }
    }

    /// An error once it is cut; until then whoever waits is woken by that, too.
    fn whole(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.is_cut = self.is_cut || self.cut.as_mut().poll(context).is_ready();
        if self.is_cut { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.whole(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.whole(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.whole(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_a_stream_that_is_cut_waits_no_longer() {
        let (near, mut far) = tokio::io::duplex(8);
        let cut = CancellationToken::new();
        let mut wire = Wire::new(near, cut.clone());
        far.write_all(b"before").await.unwrap();
        let mut read = [0; 6];
        wire.read_exact(&mut read).await.unwrap();
        let waiting = tokio::spawn(async move { (wire.read_exact(&mut read).await.unwrap_err().kind(), wire) });
        tokio::task::yield_now().await;
        cut.cancel();
        let (kind, mut wire) = waiting.await.unwrap();
        assert_eq!(kind, io::ErrorKind::ConnectionAborted);
        assert!(wire.write_all(b"after").await.is_err());
    }
}
