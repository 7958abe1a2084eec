//! Everything the end-to-end tests share: a real host in a process of its own, clients that speak to it through sockets,
//! the compiled guests, and repositories to push.
//!
//! Nothing here knows private items of the product: what a test can see, a user can see.

pub mod client;
pub mod containers;
pub mod disk;
pub mod git;
pub mod guests;
pub mod host;
pub mod neighbour;
pub mod origin;
pub mod plugin;
mod process;
pub mod python;
pub mod raw;
pub mod space;
pub mod wait;

pub use client::{Answer, Client};
pub use containers::ContainerHost;
pub use disk::Disk;
pub use guests::guest;
pub use host::TestHost;
pub use plugin::FakePlugin;
pub use space::{Files, TestSpace};
