//! What a client sends on a channel, as a stream for whoever needs it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

/// A channel's data, to its end or the client's.
pub(crate) struct Input {
    pieces: mpsc::Receiver<Bytes>,
    rest: Bytes,
    /// How long the client may be silent, and the end of that time.
    patience: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Input {
    pub(crate) fn new(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self { pieces, rest: Bytes::new(), patience: None }
    }

    /// The same, failing once the client has been silent for too long.
    pub(crate) fn impatient(self, longest: Duration) -> Self {
        Self { patience: Some((longest, Box::pin(tokio::time::sleep(longest)))), ..self }
    }

    /// Waits until the client has said something; `false` if it has nothing to say.
    pub(crate) async fn begins(&mut self) -> bool {
        while self.rest.is_empty() {
            match self.pieces.recv().await {
                Some(piece) => self.rest = piece,
                None => return false,
            }
        }
        true
    }
}

impl AsyncRead for Input {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.rest.is_empty() {
            match this.pieces.poll_recv(context) {
                Poll::Ready(Some(piece)) => {
                    this.rest = piece;
                    if let Some((longest, end)) = &mut this.patience {
                        end.as_mut().reset(Instant::now() + *longest);
                    }
                }
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    let Some((_, end)) = &mut this.patience else { return Poll::Pending };
                    ready!(end.as_mut().poll(context));
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        let length = this.rest.len().min(buffer.remaining());
        buffer.put_slice(&this.rest[..length]);
        this.rest.advance(length);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn pieces_come_as_one_stream_and_end_with_the_client() {
        let (sender, pieces) = mpsc::channel(4);
        let mut input = Input::new(pieces);
        sender.send(Bytes::new()).await.unwrap();
        sender.send(Bytes::from_static(b"abc")).await.unwrap();
        assert!(input.begins().await);
        sender.send(Bytes::from_static(b"def")).await.unwrap();
        drop(sender);
        let mut two = [0; 2];
        input.read_exact(&mut two).await.unwrap();
        let mut rest = String::new();
        input.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&two, rest.as_str()), (b"ab", "cdef"));
        assert!(!input.begins().await);
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_is_not_waited_for_for_ever() {
        let (_sender, pieces) = mpsc::channel(1);
        let mut input = Input::new(pieces).impatient(Duration::ZERO);
        assert_eq!(input.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
