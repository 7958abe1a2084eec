//! The few implementations that join crates which do not know each other: engine and backend plugins as backends of the control plane,
//! the engine as its scanner, and the control plane as the platform behind the edge.

mod backend;
mod container;
mod platform;
mod plugins;
mod scanner;

pub(crate) use backend::EngineBackend;
pub(crate) use container::{ContainerBackend, hardware_to_ask};
pub(crate) use platform::FleetPlatform;
pub(crate) use scanner::EngineScanner;
