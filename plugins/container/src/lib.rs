//! A backend plugin that builds and runs Spaces in containers of a Docker Engine.
//!
//! The program speaks `spaceport-backend-protocol` on a Unix socket and the Engine's API on another; whoever uses the first
//! never sees the second. Invariant: it keeps nothing that matters. What runs, of what it was made and what it may use is
//! written on the containers and images themselves, as labels, so that a plugin that was killed at any moment, or an engine
//! that was restarted, costs nothing but the time to look.
//!
//! ```text
//! serve      requests of the host: one verb, one function, one answer
//! instances  start, stop, remove, list, logs, stats, exec: one container each
//! builds     the files of a revision become an image, by BuildKit
//! artifacts  images that nobody needs any more
//! disk       what containers have written, and their end when it is too much
//! guard      what has to hold before anything starts: the fence
//! owners     whose GPU is whose
//! versions   which engines are too old
//! turn       what several plugins on one machine change one at a time
//! engine     the connection to the Engine, and what its refusals mean
//! ```

pub mod base_image;
pub mod devices;
pub mod network;
pub mod usage;

mod arguments;
mod artifacts;
mod builds;
mod describe;
mod disk;
mod engine;
mod guard;
mod instances;
mod names;
mod owners;
mod plugin;
mod program;
mod refusal;
mod serve;
mod turn;
mod versions;

pub use program::main;
