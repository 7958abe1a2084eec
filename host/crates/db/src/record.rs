//! Values as they are stored: records, distinct from the domain's types, with conversions both ways.
//!
//! A record's version stands in front of it. Reading knows every version ever written and refuses newer ones; writing
//! knows the newest only. The domain can thus change without touching what is on disk, and the other way round.

mod account;
mod audit;
mod discussion;
mod email;
mod finding;
mod grant;
mod hardware;
#[cfg(test)]
mod ledger_tests;
mod lfs;
mod lifecycle;
mod like;
mod linked;
mod member;
mod oauth;
mod plugin;
mod quota;
mod release;
mod session;
mod space;
mod ssh_key;
#[cfg(test)]
mod tests;
mod token;
mod usage;
mod webhook;
mod webhook_message;

use serde::Serialize;
use serde::de::DeserializeOwned;
use spaceport_core::id::{AccountId, SpaceId};

/// A stored value cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordError(pub String);

/// A value that a table can hold.
pub trait Record: Sized {
    /// The version written.
    const VERSION: u8;

    /// Appends the encoded value.
    fn encode(&self, bytes: &mut Vec<u8>);

    /// Reads a value written in some version.
    fn decode(version: u8, bytes: &[u8]) -> Result<Self, RecordError>;
}

/// Implements [`Record`] for a domain type by way of its first stored form.
macro_rules! record_by_json {
    ($domain:ty, $stored:ty) => {
        impl crate::record::Record for $domain {
            const VERSION: u8 = 1;

            fn encode(&self, bytes: &mut Vec<u8>) {
                crate::record::write_json(&<$stored>::from(self), bytes);
            }

            fn decode(version: u8, bytes: &[u8]) -> Result<Self, crate::record::RecordError> {
                match version {
                    1 => Ok(crate::record::read_json::<$stored>(bytes)?.into()),
                    newer => Err(crate::record::unknown_version(newer)),
                }
            }
        }
    };
}
pub(crate) use record_by_json;

macro_rules! record_by_id {
    ($($id:ty),*) => {$(
        impl Record for $id {
            const VERSION: u8 = 1;

            fn encode(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(self.as_bytes());
            }

            fn decode(version: u8, bytes: &[u8]) -> Result<Self, RecordError> {
                match (version, bytes.try_into()) {
                    (1, Ok(bytes)) => Ok(Self::from_bytes(bytes)),
                    (1, Err(_)) => Err(RecordError(format!("an id has {} bytes", bytes.len()))),
                    (newer, _) => Err(unknown_version(newer)),
                }
            }
        }
    )*};
}

record_by_id!(SpaceId, AccountId);

/// Plain text, for facts about the database itself.
impl Record for String {
    const VERSION: u8 = 1;

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_bytes());
    }

    fn decode(version: u8, bytes: &[u8]) -> Result<Self, RecordError> {
        match version {
            1 => Self::from_utf8(bytes.to_vec()).map_err(unreadable),
            newer => Err(unknown_version(newer)),
        }
    }
}

pub(crate) fn write_json(value: &impl Serialize, bytes: &mut Vec<u8>) {
    serde_json::to_writer(bytes, value).expect("a record has text keys only, and a Vec takes every byte");
}

pub(crate) fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RecordError> {
    serde_json::from_slice(bytes).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> RecordError {
    RecordError(error.to_string())
}

pub(crate) fn unknown_version(version: u8) -> RecordError {
    RecordError(format!("it has version {version}, which a newer Spaceport wrote"))
}
