//! Everything HTTP: the hub's API and pages, and the edge that carries requests to Spaces.
//!
//! Two front doors share one process and never an origin. [`router::hub_router`] answers at the hub's own host name by
//! calling operations of `spaceport_control::service::Control`; [`edge`] answers at the host names of Spaces and knows
//! nothing of the hub. Status codes exist only here: what is below speaks in typed refusals.

pub mod admin;
mod api;
mod auth;
mod document;
pub mod edge;
pub mod error;
mod extract;
mod git;
mod markdown;
pub mod middleware;
mod oauth;
pub mod outgoing;
pub mod rate;
pub mod router;
mod session;
mod sse;
#[cfg(test)]
mod testing;
mod ui;

pub use api::ssh::SshDoor;
pub use rate::RateLimits;
pub use router::{AppState, hub_router};
