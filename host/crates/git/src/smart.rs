//! What git clients speak: clones and fetches handed to `git upload-pack`, pushes received here and unpacked by
//! `git index-pack`.
//!
//! A push is received by this crate and not by `git receive-pack`, which knows no way to be asked in the middle but a
//! hook, that is, a program in a file. Here the pack goes into a directory of its own ([`Incoming`]) that only the push sees;
//! whoever receives it looks at the objects there, then accepts or refuses; a push that is refused, broken off or cut by a
//! crash leaves nothing behind. Refs move last. Bytes come from and go to any stream, so HTTP and SSH share all of it.

mod advertise;
mod audit;
mod fetch;
mod incoming;
mod packet;
mod push;
mod refs;
mod request;
#[cfg(test)]
mod tests;

pub use advertise::Service;
pub use audit::{Audit, BroughtFile};
pub use fetch::PackStream;
pub(crate) use incoming::Incoming;
pub use push::{Push, PushOutput};
pub use request::RefCommand;
