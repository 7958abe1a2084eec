//! The runtime of Spaceport: WASI components on wasmtime, held to the limits of their Space.
//!
//! The only crate that names wasmtime. It compiles, links, limits, runs guest calls and says what went wrong with one;
//! it knows no stages, owners or routes. The host's adapters join it with the control plane.
//!
//! ```text
//! Engine::new(EngineConfig) -> Arc<Engine>
//! engine.inspect(bytes) -> Inspection | Refusal               names only, no compiling
//! engine.compile(bytes, say).await -> ArtifactId | CompileError   in a child process: compile::child_main
//! engine.describe(artifact, dir).await -> Description | DescribeError   of a plugin: which sdk it serves
//! engine.scan(scanner, texts).await -> Scanned                by a component of the world spaceport:scanner
//! engine.launch(LaunchSpec).await -> Arc<Running> | StartError    no instance yet; Recompile if the artifact is unfit
//! running.call(http::Request<B>).await -> http::Response<Body> | Fault
//! running.usage() -> Usage, running.in_flight(), running.stop(grace).await
//! ```
//!
//! A request needs a `Host` header or an authority, as every request of the edge has. Dropping `call`'s future or the
//! answer's body tells the guest's side that the client is gone.

pub mod cap;
pub mod compile;
pub mod log;

mod artifacts;
mod call;
mod clock;
mod cpu;
mod describe;
mod engine;
mod launch;
mod limiter;
mod linker;
mod pool;
mod running;
mod scan;
mod state;
mod stdio;

pub use artifacts::{ArtifactId, InvalidArtifactId, LoadError};
pub use call::body::{Body, BoxError, BrokenOff};
pub use compile::{CompileError, Inspection, Interface, Refusal};
pub use describe::{DescribeError, Description};
pub use engine::{Calibration, Engine, EngineConfig, EngineError};
pub use launch::{LaunchSpec, SdkContext, StartError};
pub use log::GuestLog;
pub use running::{Running, Usage};
pub use scan::{ScanError, ScanText, Scanned, Secret};
