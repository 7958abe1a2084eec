//! The edge over real sockets, with fakes for the Spaces and the control plane.

mod caching;
mod encrypted;
mod faults;
mod files;
mod harness;
mod hygiene;
mod lifetimes;
mod limits;
mod logging;
mod routing;
mod smuggling;
mod tunnels;
mod uploads;
