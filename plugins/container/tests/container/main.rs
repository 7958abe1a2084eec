//! The program against a real container engine.
//!
//! Where none answers, each test says so in one line and passes; where `SPACEPORT_NEEDS_DOCKER` is set, it fails instead.
//! Every test has a namespace of its own, of which nothing is left.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of a test may do what the test may")]

mod builds;
mod conformance;
mod devices;
mod engine;
mod hardening;
mod harness;
mod life;
mod limits;
mod restarts;
