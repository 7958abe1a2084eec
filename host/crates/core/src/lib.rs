//! The domain of Spaceport: names, ids, states and decisions.
//!
//! Everything here is a value or a pure function. This crate performs no I/O, reads no clock and cannot block, so it
//! needs no mocks: time, randomness and bytes come in as arguments. The other crates act; this one decides.

pub mod billing;
pub mod discussion;
pub mod egress;
pub mod email;
pub mod env;
pub mod fault;
pub mod grant;
pub mod hardware;
pub mod id;
pub mod leaks;
pub mod lfs;
pub mod lifecycle;
pub mod limits;
pub mod linked;
pub mod manifest;
pub mod name;
pub mod oauth;
pub mod permission;
pub mod plugin;
pub mod revision;
pub mod space;
pub mod ssh;
pub mod stage;
pub mod webhook;
