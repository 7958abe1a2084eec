//! Lines that come as they are written.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Message, limits};

/// One line of a log. In a stream each stands on a line of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Where it was written.
    pub stream: LogStream,
    /// What was written, without the line's end; at most [`limits::LOG_TEXT`] bytes, any characters.
    pub text: String,
    /// When, in milliseconds since 1970, if that is known. It never goes back within a log, so that a reader who comes again
    /// knows what it has read.
    #[serde(default, deserialize_with = "time", skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
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

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let time = Option::<u64>::deserialize(from)?;
    match time.filter(|time| *time > limits::NUMBER) {
        Some(time) => Err(D::Error::custom(format!("{time} is larger than 2^53 - 1"))),
        None => Ok(time),
    }
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
