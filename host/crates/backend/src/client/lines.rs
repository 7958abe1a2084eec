//! A stream of messages as they are written: one a line, each with a size.

use std::marker::PhantomData;

use spaceport_backend_protocol::{Call, Message, decode};

use super::CallError;
use super::exchange::Exchange;

/// Messages of one kind. Dropping them tells the plugin that nobody reads on.
pub struct Lines<T> {
    call: Call,
    exchange: Exchange,
    /// What came after the last line that was given out.
    waiting: Vec<u8>,
    /// How much of it has no end of a line.
    searched: usize,
    of: PhantomData<fn() -> T>,
}

impl<T: Message> Lines<T> {
    pub(super) fn new(call: Call, exchange: Exchange) -> Self {
        Self { call, exchange, waiting: Vec::new(), searched: 0, of: PhantomData }
    }

    /// The next message; `None` at the stream's end. Waits as long as nothing is written; may be dropped and called again.
    pub async fn next(&mut self) -> Result<Option<T>, CallError> {
        loop {
            let end = self.waiting[self.searched..].iter().position(|byte| *byte == b'\n');
            if let Some(end) = end.map(|end| self.searched + end) {
                let line: Vec<u8> = self.waiting.drain(..=end).collect();
                self.searched = 0;
                return decode(&line[..end]).map(Some).map_err(CallError::nonsense(&self.call));
            }
            self.searched = self.waiting.len();
            if self.searched > T::MOST {
                return Err(CallError::TooLong { call: self.call.name(), most: T::MOST });
            }
            match self.exchange.chunk(&self.call).await? {
                Some(chunk) => self.waiting.extend_from_slice(&chunk),
                None if self.waiting.is_empty() => return Ok(None),
                // A last line without an end may be half of one.
                None => {
                    let line = std::mem::take(&mut self.waiting);
                    self.searched = 0;
                    return decode(&line).map(Some).map_err(CallError::nonsense(&self.call));
                }
            }
        }
    }
}
