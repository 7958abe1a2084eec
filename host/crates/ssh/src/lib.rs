//! Git over SSH: `ssh://git@HOST:2222/spaces/owner/name[.git]`, on a port of its own.
//!
//! A user is who has the other half of a key that the user has added; the name before the `@` says nothing. What may be
//! run are the three programs of `spaceport_core::ssh::GitCommand`, none of which is a program here: they are operations of
//! `control`, the same that serve git over HTTP, so that permissions, what a push may bring, builds and words are the same.
//! There is no shell, no terminal, no forwarding and no file transfer.
//!
//! Everything that a stranger can take is counted and limited ([`limits`]); what a client is sent is held at its pace, and what
//! it sends is read at the pace of who needs it. A connection that ends takes with it whatever ran for it, except a push whose
//! refs have begun to move.

mod caps;
mod client;
mod host_key;
mod input;
mod job;
mod limits;
mod output;
mod progress;
mod server;
mod wire;
mod words;

pub use host_key::{HOST_KEY_FILE, HostKey, InvalidHostKey};
pub use server::serve;
