//! An output stream of 0.2 that writes to a file under its mount's quota.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use super::quota::Quota;
use super::write::{Blocked, Location, fitting, room, try_write};

/// Writes at once as long as there is room, and permits no more than that, so that a guest knows how much of what it wrote
/// is there. Past it the stream waits for the mount to be measured, and fails for good when it stays full.
pub(super) struct FileStream {
    quota: Arc<Quota>,
    file: Arc<File>,
    at: Location,
    state: State,
}

enum State {
    Ready,
    /// What is still to be written when there is room.
    Waiting(Bytes),
    Failed(io::Error),
    Closed,
}

impl FileStream {
    pub(super) fn new(quota: Arc<Quota>, file: Arc<File>, at: Location) -> Self {
        Self { quota, file, at, state: State::Ready }
    }

    fn put(&mut self, mut bytes: Bytes) {
        self.state = loop {
            if bytes.is_empty() {
                break State::Ready;
            }
            match try_write(&self.quota, &self.file, self.at, &bytes) {
                Ok(written) => {
                    self.at.advance(written);
                    drop(bytes.split_to(written));
                }
                Err(Blocked::Full) => break State::Waiting(bytes),
                Err(Blocked::Failed(error)) => break State::Failed(error),
            }
        };
    }

    /// How it stands; an error is told once.
    fn status(&mut self) -> StreamResult<()> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Ready => {
                self.state = State::Ready;
                Ok(())
            }
            State::Waiting(bytes) => {
                self.state = State::Waiting(bytes);
                Ok(())
            }
            State::Failed(error) => Err(StreamError::LastOperationFailed(error.into())),
            State::Closed => Err(StreamError::Closed),
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for FileStream {
    async fn ready(&mut self) {
        while matches!(self.state, State::Waiting(_)) {
            let outcome = room(&self.quota, &self.file, self.at).await;
            if let State::Waiting(bytes) = std::mem::replace(&mut self.state, State::Closed) {
                match outcome {
                    Ok(()) => self.put(bytes),
                    Err(error) => self.state = State::Failed(error),
                }
            }
        }
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for FileStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        match self.state {
            State::Ready => {
                self.put(bytes);
                Ok(())
            }
            State::Closed => Err(StreamError::Closed),
            State::Waiting(_) | State::Failed(_) => Err(StreamError::trap("a write that was not permitted")),
        }
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.ready().await;
        self.status()?;
        self.write(bytes)?;
        self.ready().await;
        self.status()
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.status()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.status()?;
        if !matches!(self.state, State::Ready) {
            return Ok(0);
        }
        let fitting = fitting(&self.quota, &self.file, self.at);
        let fitting = fitting.map_err(|error| StreamError::LastOperationFailed(error.into()))?;
        if fitting == 0 {
            self.state = State::Waiting(Bytes::new());
        }
        Ok(fitting)
    }

    async fn cancel(&mut self) {
        self.state = State::Closed;
    }
}
