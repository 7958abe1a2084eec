//! From bytes to a message that can be relied on, and back.

use std::time::Duration;

use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde_json::error::Category;

use crate::{Line, limits};

/// A body of a request or a reply, or one line of a stream.
pub trait Message: Serialize + DeserializeOwned {
    /// What it is, for whoever reads that it could not be decoded.
    const WHAT: &'static str;
    /// The most bytes it may have.
    const MOST: usize = limits::BODY;

    /// What the types of the fields leave open.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Bytes that are not the message they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than such a message may have.
    #[error("{what} has {bytes} bytes; at most {most} are read")]
    TooLong {
        /// The message.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The most it may have.
        most: usize,
    },
    /// No JSON.
    #[error("{what} is not JSON: {why}")]
    NotJson {
        /// The message.
        what: &'static str,
        /// Where it stops to be.
        why: Line,
    },
    /// JSON that says something impossible.
    #[error("{what} cannot be right: {why}")]
    Invalid {
        /// The message.
        what: &'static str,
        /// What is wrong with it.
        why: Line,
    },
}

/// Reads a message.
pub fn decode<T: Message>(bytes: &[u8]) -> Result<T, DecodeError> {
    let what = T::WHAT;
    if bytes.len() > T::MOST {
        return Err(DecodeError::TooLong { what, bytes: bytes.len(), most: T::MOST });
    }
    let message: T = serde_json::from_slice(bytes).map_err(|error| {
        let why = Line::lossy(&error.to_string());
        match error.classify() {
            Category::Data => DecodeError::Invalid { what, why },
            Category::Io | Category::Syntax | Category::Eof => DecodeError::NotJson { what, why },
        }
    })?;
    message.check().map_err(|why| DecodeError::invalid::<T>(&why))?;
    Ok(message)
}

/// Writes a message, on one line.
pub fn encode<T: Message>(message: &T) -> Vec<u8> {
    serde_json::to_vec(message).expect("the members of our messages have texts for names and finite numbers")
}

impl DecodeError {
    /// A message of this kind that is JSON and cannot be right.
    pub(crate) fn invalid<T: Message>(why: &str) -> Self {
        Self::Invalid { what: T::WHAT, why: Line::lossy(why) }
    }
}

/// A list that may have so many items at most.
pub(crate) fn list<'de, D, T, const MOST: usize>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let items = Vec::deserialize(from)?;
    match items.len() > MOST {
        true => Err(D::Error::custom(format!("{} items; at most {MOST} are read", items.len()))),
        false => Ok(items),
    }
}

/// A number that every JSON reader keeps exactly.
pub(crate) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(from)?;
    match number > limits::NUMBER {
        true => Err(D::Error::custom(format!("{number} is larger than 2^53 - 1"))),
        false => Ok(number),
    }
}

/// A time in seconds that is neither nothing nor more than this.
pub(crate) fn seconds(what: &str, given: u64, most: Duration) -> Result<(), String> {
    match given {
        0 => Err(format!("{what} is 0")),
        given if given > most.as_secs() => Err(format!("{what} is {given}; at most {} is given", most.as_secs())),
        _ => Ok(()),
    }
}

/// Names one item that is there twice.
pub(crate) fn no_twins<'a, T: Ord + std::fmt::Display + 'a>(
    what: &str,
    items: impl Iterator<Item = &'a T>,
) -> Result<(), String> {
    let mut items: Vec<&T> = items.collect();
    items.sort_unstable();
    match items.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("{what} {} is there twice", pair[0])),
        None => Ok(()),
    }
}
