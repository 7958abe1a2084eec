//! Lines that come as they are written.

use serde::{Deserialize, Serialize};

use crate::{Message, limits};

/// One line of a log. In a stream each stands on a line of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Where it was written.
    pub stream: LogStream,
    /// What was written, without the line's end; at most [`limits::LOG_TEXT`] bytes, any characters.
    pub text: String,
}

/// Where a program writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Message for LogLine {
    const WHAT: &'static str = "a line of a log";
    const MOST: usize = limits::STREAM_LINE;

    fn check(&self) -> Result<(), String> {
        match self.text.len() > limits::LOG_TEXT {
            true => Err(format!("{} bytes of text; at most {} are read", self.text.len(), limits::LOG_TEXT)),
            false => Ok(()),
        }
    }
}
