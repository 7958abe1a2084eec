//! A call that is not done, and what can be done about it.

use serde::{Deserialize, Serialize};

use crate::{Line, Message};

/// The body of every reply that is not 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What the caller can do.
    pub error: ErrorCode,
    /// Why, in a sentence for people.
    pub message: Line,
}

/// Why a call is not done, by what the caller can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request is not one of this protocol: a mistake of the caller. Status 400.
    BadRequest,
    /// The plugin does not know this verb; it may be older. Status 404.
    NoSuchCall,
    /// There is no such instance. Status 404.
    NoSuchInstance,
    /// There is no such artifact any more: build it again. Status 404.
    NoSuchArtifact,
    /// Too much at a time, or all devices are taken: later it would be done. Status 429.
    Busy,
    /// What the plugin works with does not answer; its health says so too. Status 503.
    Unavailable,
    /// Anything else, and every code that the reader does not know. Status 500.
    #[serde(other)]
    Failed,
}

impl ErrorCode {
    /// The status of the reply.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::NoSuchCall | Self::NoSuchInstance | Self::NoSuchArtifact => 404,
            Self::Busy => 429,
            Self::Failed => 500,
            Self::Unavailable => 503,
        }
    }
}

impl Message for Refusal {
    const WHAT: &'static str = "the reason of a refusal";
    const MOST: usize = 64 << 10;
}
