//! An innocent Space beside one that loops for ever on each core.

use std::time::Duration;

use spaceport_tests::TestHost;

use crate::load::{latencies, quantile_ms};
use crate::table::Table;

/// Requests measured.
const REQUESTS: usize = 2000;

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
        std::thread::sleep(Duration::from_secs(1));
        quantile_ms(&latencies(host.address(), &innocent.authority, REQUESTS), 0.99)
    });
    table.note("neighbour, quiet p99", quiet, "ms");
    table.at_most("neighbour, p99 beside a loop on each core", loud, "ms", f64::max(3.0 * quiet, quiet + 5.0));
}
