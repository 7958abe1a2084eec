//! Outgoing HTTP: every request of a guest leaves through here, and only where its Space's policy lets it.
//!
//! The way of one request: its URL is checked ([`target`]), a permit is taken ([`lease`]), the name is resolved once and
//! every address that is not public is dropped ([`resolve`]), one of the remaining addresses is connected to
//! ([`connect`]), the request goes out with headers of ours ([`exchange`]), and the body comes back under a byte cap and
//! an idle limit ([`body`]). What is connected to is the very address that was checked, so a name whose answer changes
//! between two lookups gains nothing. A connection is used again only by the Space that made it, under the policy it
//! was made under ([`pool`]).
//!
//! Invariant: no socket is opened to an address that [`EgressPolicy::check_address`] did not accept in the same request,
//! or for the request whose connection is used again.
//!
//! [`EgressPolicy::check_address`]: spaceport_core::egress::EgressPolicy::check_address

mod body;
mod connect;
mod error;
mod exchange;
mod hooks;
mod interfaces;
mod lease;
mod limits;
mod pool;
mod refusals;
mod resolve;
mod space;
mod target;
#[cfg(test)]
mod tests;

pub use hooks::EgressHooks;
pub use interfaces::own_addresses;
pub use limits::EgressLimits;
pub use resolve::{Resolve, ResolveError, Table};
pub use space::{EgressCounts, EgressShared, SpaceEgress};
