//! The host's side of backend plugins: programs beside the host that build and run what no component can be.
//!
//! [`Supervisor`] starts such a program, watches it and starts it again; [`Client`] calls it; [`Instances`] are what it runs for
//! this host, and [`Proxy`] is the way to one of them. What the two sides say to each other is
//! `spaceport-backend-protocol`. Invariant: nothing a plugin does or says harms the host. It is a process of its own,
//! every call has a deadline and a size, and no field of a reply is used before it is checked; what breaks a rule is killed
//! and started again, and meanwhile the backend is down, with a reason in words.
//!
//! Knows neither HTTP for visitors, nor the database, nor wasmtime; which Space runs where is for others to say.

mod backoff;
mod client;
mod instances;
mod name;
mod process;
mod proxy;
mod state;
mod supervisor;

pub use backoff::Backoff;
pub use client::{BuildStep, Building, CallError, Client, Lines};
pub use instances::{BuildError, Instances, Order, Pace, Running, StartError, Witness};
pub use name::{BackendName, InvalidName};
pub use proxy::{Proxy, ProxyBody, ProxyError};
pub use spaceport_backend_protocol as protocol;
pub use state::{State, Status, Up};
pub use supervisor::{BackendConfig, Supervisor, Timings};
