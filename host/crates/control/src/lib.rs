//! What should be running, and making it so.
//!
//! Operations ([`service::Control`]) change desired state and answer questions; one supervisor per Space owns its
//! lifecycle and is the only caller of `core::lifecycle::decide`; the builder turns revisions into releases; the route
//! table is the only thing shared with the data path. HTTP, status codes, wasmtime and sled are unknown here.

mod builder;
mod checkouts;
pub mod clock;
pub mod fleet;
mod ledger;
mod lfs;
mod linked;
pub mod logs;
pub mod metrics;
mod offer;
pub mod ports;
mod publish;
mod reconcile;
mod retain;
pub mod routes;
pub mod sampler;
mod scans;
mod secrets;
pub mod service;
mod supervisor;
mod switches;
#[cfg(test)]
mod testing;
mod webhooks;
