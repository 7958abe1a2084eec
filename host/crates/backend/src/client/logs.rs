//! A log as it is written: one message a line, each with a size.

use spaceport_backend_protocol::{Call, LogLine, Message, decode};

use super::CallError;
use super::exchange::Exchange;

/// The lines of a log. Dropping it tells the plugin that nobody reads on.
pub struct LogLines {
    call: Call,
    exchange: Exchange,
    /// What came after the last line that was given out.
    waiting: Vec<u8>,
    /// How much of it has no end of a line.
    searched: usize,
}

impl LogLines {
    pub(super) fn new(call: Call, exchange: Exchange) -> Self {
        Self { call, exchange, waiting: Vec::new(), searched: 0 }
    }

    /// The next line; `None` at the log's end. Waits as long as the instance is silent; may be dropped and called again.
    pub async fn next(&mut self) -> Result<Option<LogLine>, CallError> {
        loop {
            let end = self.waiting[self.searched..].iter().position(|byte| *byte == b'\n');
            if let Some(end) = end.map(|end| self.searched + end) {
                let line: Vec<u8> = self.waiting.drain(..=end).collect();
                self.searched = 0;
                return decode(&line[..end]).map(Some).map_err(CallError::nonsense(&self.call));
            }
            self.searched = self.waiting.len();
            if self.searched > LogLine::MOST {
                return Err(CallError::TooLong { call: self.call.name(), most: LogLine::MOST });
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
