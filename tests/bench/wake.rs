//! The first byte of a Space that slept.

use std::time::Duration;

use spaceport_tests::{Files, TestHost, TestSpace, guests};

use crate::load::{Connection, quantile_ms};
use crate::table::Table;

/// Wakes measured.
const ROUNDS: usize = 40;
/// Every Space of this host sleeps as soon as it may.
const CONFIG: &str = "[lifecycle]\nsleep_after = \"50ms\"\n";

/// A Rust component.
pub fn rust(table: &mut Table) {
    let host = TestHost::start_with(CONFIG);
    let space = host.run_guest("sleeper", "hello", "");
    measure(table, "wake, Rust", &space, 5.0);
}

/// A Python component.
pub fn python(table: &mut Table) {
    let host = TestHost::start_with(CONFIG);
    let folder = guests::demo("python-hello");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("read {name}: {error}"));
    let space =
        host.push("python", Files::default().with("README.md", read("README.md")).with("app.wasm", read("app.wasm")));
    space.reaches("SLEEPING");
    measure(table, "wake, Python", &space, 40.0);
}

fn measure(table: &mut Table, what: &str, space: &TestSpace<'_>, goal_ms: f64) {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            space.reaches("SLEEPING");
            Connection::open(space.host.address(), &space.authority).time_to_first_byte()
        })
        .collect();
    times.sort();
    table.at_most(format!("{what}, first byte p50"), quantile_ms(&times, 0.5), "ms", goal_ms);
    table.note(format!("{what}, first byte p99"), quantile_ms(&times, 0.99), "ms");
}
