//! The engine with real guests: what `cargo xtask guests` built, called as the edge calls them.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail by unwrapping, and is told by the environment where the guests are"
)]

mod harness;

mod answers;
mod capabilities;
mod compiling;
mod cpu;
mod deadlines;
mod failing;
mod hostile;
mod memory;
mod plugins;
mod scanning;
mod stopping;
