//! What comes by SSH as values: public keys of users, and what a client asks to be run.

mod command;
mod key;

pub use command::{CommandError, GitCommand, LfsOperation, MAX_COMMAND};
pub use key::{Fingerprint, KeyError, KeyKind, MAX_KEY_TEXT, PublicKey};
