//! The program against a real container engine.
//!
//! Where none answers, each test says so in one line and passes; where `SPACEPORT_NEEDS_DOCKER` is set, it fails instead.
//! Every test has a namespace of its own, of which nothing is left.

#![expect(clippy::unwrap_used, reason = "helpers of a test may unwrap as the test may")]

mod builds;
mod conformance;
mod hardening;
mod harness;
mod life;
mod limits;
