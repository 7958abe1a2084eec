//! Reading a log: what is there first, then what follows.

use std::sync::Arc;

use futures_util::stream::{self, Stream};
use tokio::sync::watch;

use super::LogLine;
use super::log::{Log, Tail};
use super::segments::Place;

/// Reads a log from its oldest line on and follows it. Two readers see the same lines in the same order.
pub struct LogReader {
    log: Arc<Log>,
    tail: watch::Receiver<Tail>,
    place: Place,
    /// Numbers below this one were read.
    next_seq: u64,
}

impl LogReader {
    pub(super) fn new(log: Arc<Log>) -> Self {
        let tail = log.tail();
        Self { log, tail, place: Place::default(), next_seq: 0 }
    }

    /// The lines that are there and were not read yet, at most some hundreds at a time; empty if there is none. A call that
    /// is dropped has read nothing.
    pub async fn available(&mut self) -> Vec<LogLine> {
        self.tail.mark_unchanged();
        let (log, mut place, from) = (self.log.clone(), self.place, self.next_seq);
        let read = tokio::task::spawn_blocking(move || log.read(&mut place, from).map(|lines| (lines, place)));
        match read.await {
            Ok(Ok((lines, place))) => {
                self.place = place;
                self.next_seq = lines.last().map_or(from, |line| line.seq + 1);
                lines
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "a log cannot be read");
                Vec::new()
            }
            // The runtime ends.
            Err(_) => Vec::new(),
        }
    }

    /// The next lines, waiting until there is one; `None` once the Space is gone. A call that is dropped has read nothing.
    pub async fn next(&mut self) -> Option<Vec<LogLine>> {
        loop {
            let lines = self.available().await;
            if !lines.is_empty() {
                return Some(lines);
            }
            if self.tail.borrow().is_ended || self.tail.changed().await.is_err() {
                return None;
            }
        }
    }

    /// The lines one by one, ending when the Space is gone.
    pub fn into_stream(self) -> impl Stream<Item = LogLine> + Send {
        let read = |mut reader: Self| async move { Some((stream::iter(reader.next().await?), reader)) };
        futures_util::StreamExt::flatten(stream::unfold(self, read))
    }
}
