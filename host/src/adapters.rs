//! The few implementations that join crates which do not know each other: the engine as a backend of the control plane
//! and as its scanner, and the control plane as the platform behind the edge.

mod backend;
mod platform;
mod plugins;
mod scanner;

pub(crate) use backend::EngineBackend;
pub(crate) use platform::FleetPlatform;
pub(crate) use scanner::EngineScanner;
