//! The reading end of a stream of 0.3 that a guest writes into a file under its mount's quota.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{Source, StreamConsumer, StreamResult};

use super::p3::Outcome;
use super::quota::Quota;
use super::write::{Blocked, Location, room, try_write};

/// Writes what a guest's stream delivers, piece by piece.
pub(super) struct FileConsumer {
    quota: Arc<Quota>,
    file: Arc<File>,
    at: Location,
    result: Option<oneshot::Sender<Outcome>>,
    room: Option<BoxFuture<'static, io::Result<()>>>,
}

impl FileConsumer {
    /// `result` is told how it ended.
    pub(super) fn new(quota: Arc<Quota>, file: Arc<File>, at: Location, result: oneshot::Sender<Outcome>) -> Self {
        Self { quota, file, at, result: Some(result), room: None }
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(result) = self.result.take() {
            let _ = result.send(outcome);
        }
    }

    fn fail(&mut self, error: &io::Error) -> Poll<wasmtime::Result<StreamResult>> {
        self.end(Err(error.into()));
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}

impl<D> StreamConsumer<D> for FileConsumer {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = &mut *self;
        let mut source = source.as_direct(store);
        loop {
            match this.room.as_mut().map(|room| room.as_mut().poll(cx)) {
                Some(Poll::Pending) if finish => {
                    this.room = None;
                    return Poll::Ready(Ok(StreamResult::Cancelled));
                }
                Some(Poll::Pending) => return Poll::Pending,
                Some(Poll::Ready(Err(error))) => return this.fail(&error),
                Some(Poll::Ready(Ok(()))) => this.room = None,
                None => {}
            }
            match try_write(&this.quota, &this.file, this.at, source.remaining()) {
                Ok(written) => {
                    source.mark_read(written);
                    this.at.advance(written);
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                Err(Blocked::Failed(error)) => return this.fail(&error),
                Err(Blocked::Full) => {
                    let (quota, file, at) = (this.quota.clone(), this.file.clone(), this.at);
                    this.room = Some(Box::pin(async move { room(&quota, &file, at).await }));
                }
            }
        }
    }
}

impl Drop for FileConsumer {
    fn drop(&mut self) {
        self.end(Ok(()));
    }
}
