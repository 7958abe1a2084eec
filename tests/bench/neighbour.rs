//! An innocent Space beside one that loops for ever on each core.

use std::time::Duration;

use spaceport_tests::{TestHost, wait};

use crate::load::{latencies, quantile_ms};
use crate::table::Table;

/// Requests measured.
const REQUESTS: usize = 2000;
/// How long the loops may take to begin.
const PATIENCE: Duration = Duration::from_secs(20);

/// A looping request on each core.
pub fn looping(table: &mut Table) {
    let host = TestHost::start();
    let innocent = host.run_guest("innocent", "hello", "");
    let spinner = host.run_guest("spinner", "spin_forever", "wasm:\n  timeout: 25s");
    latencies(host.address(), &innocent.authority, REQUESTS);
    let quiet = quantile_ms(&latencies(host.address(), &innocent.authority, REQUESTS), 0.99);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let loud = std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| spinner.get("/loop"));
        }
        let looping = || spinner.host.metric(&format!("spaceport_space_instances{{space=\"{}\"}}", spinner.id));
        let started = wait::until(PATIENCE, || (looping() >= cores as f64).then_some(()));
        assert!(started.is_some(), "not every loop has begun");
        quantile_ms(&latencies(host.address(), &innocent.authority, REQUESTS), 0.99)
    });
    table.note("neighbour, quiet p99", quiet, "ms");
    table.at_most("neighbour, p99 beside a loop on each core", loud, "ms", f64::max(3.0 * quiet, quiet + 5.0));
}
