//! The engine with real guests: what `cargo xtask guests` built, called as the edge calls them.

mod harness;

mod answers;
mod compiling;
mod cpu;
mod deadlines;
mod failing;
mod memory;
mod stopping;
