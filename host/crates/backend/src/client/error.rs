//! What can go wrong with a call, by what can be done about it.

use std::io;
use std::time::Duration;

use spaceport_backend_protocol::{Call, DecodeError, NoCommonVersion, Refusal};

/// Why a call was not answered.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The plugin says no. It is well and can be asked again, for something else or later.
    #[error("it refuses {call}: {refusal}")]
    Refused {
        /// The verb.
        call: &'static str,
        /// What it says.
        refusal: Refusal,
    },
    /// Nothing listens: the plugin is starting, or gone.
    #[error("it cannot be reached for {call}: {source}")]
    Unreachable {
        /// The verb.
        call: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// There was no whole answer in time.
    #[error("it did not answer {call} within {deadline:?}")]
    Deadline {
        /// The verb.
        call: &'static str,
        /// The time it had.
        deadline: Duration,
    },
    /// What came is no HTTP, or breaks off.
    #[error("its answer to {call} is broken: {source}")]
    Broken {
        /// The verb.
        call: &'static str,
        /// What is wrong with it.
        source: hyper::Error,
    },
    /// The answer has more bytes than are read.
    #[error("its answer to {call} is longer than {most} bytes")]
    TooLong {
        /// The verb.
        call: &'static str,
        /// The most that is read.
        most: usize,
    },
    /// The answer is one to another call.
    #[error("its answer to {call} is one to another call")]
    Foreign {
        /// The verb.
        call: &'static str,
    },
    /// The answer cannot be right.
    #[error("its answer to {call} is nonsense: {error}")]
    Nonsense {
        /// The verb.
        call: &'static str,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// The two sides do not understand each other.
    #[error("it is of another time: {0}")]
    Version(#[from] NoCommonVersion),
}

impl CallError {
    /// For `map_err`: what came cannot be decoded.
    pub(super) fn nonsense(call: &Call) -> impl FnOnce(DecodeError) -> Self {
        let call = call.name();
        move |error| Self::Nonsense { call, error }
    }
}
