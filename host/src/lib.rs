//! The host as a library: configuration, wiring and the command line. Rules live in the crates below; this one decides
//! nothing and joins everything.

mod adapters;
pub mod app;
pub mod cli;
pub mod commands;
pub mod config;
mod ready;
mod telemetry;
