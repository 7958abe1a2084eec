//! Client and supervisor against a real process that speaks the protocol well, and in every bad way there is.

#![expect(clippy::unwrap_used, reason = "helpers of a test may unwrap as the test may")]
#![expect(clippy::disallowed_methods, reason = "some plugins and hosts of these tests run without a supervisor")]

mod client;
mod fake;
mod instances;
mod outliving;
mod proxy;
mod supervisor;
