//! From an answered commit to the new revision being served.

use std::time::{Duration, Instant};

use spaceport_tests::{Files, TestHost, TestSpace, guest, wait};

use crate::load::quantile_ms;
use crate::table::Table;

/// Deploys measured.
const ROUNDS: usize = 10;

/// A static Space.
pub fn site(table: &mut Table) {
    let host = TestHost::start();
    let space = host.push("site", Files::site(&[("index.html", "<head></head>")]));
    space.reaches("RUNNING");
    let files = |round: usize| Files::default().with("index.html", format!("<head></head>revision {round}."));
    measure(table, "deploy, static", &space, files, |round| format!("revision {round}."), 500.0);
}

/// A prebuilt component; a custom section makes each round's bytes new.
pub fn component(table: &mut Table) {
    let host = TestHost::start();
    let space = host.run_guest("app", "env", "");
    let files = |round: usize| {
        let mut component = guest("env");
        component.extend([0, 2, 1, b'a' + u8::try_from(round).unwrap_or(0)]);
        let readme = format!("---\ntitle: revision {round}.\nsdk: wasm\n---\n");
        Files::default().with("app.wasm", component).with("README.md", readme)
    };
    measure(table, "deploy, component", &space, files, |round| format!("revision {round}."), 1000.0);
}

fn measure(
    table: &mut Table,
    what: &str,
    space: &TestSpace<'_>,
    files: impl Fn(usize) -> Files,
    mark: impl Fn(usize) -> String,
    goal_ms: f64,
) {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|round| {
            let commit = space.push(files(round));
            let answered = Instant::now();
            let mark = mark(round);
            let served = wait::until(Duration::from_secs(30), || {
                let is_new = space.get("/").text().contains(&mark);
                (is_new && space.runtime()["stage"] == "RUNNING").then_some(())
            });
            assert!(served.is_some(), "{commit} was not served");
            answered.elapsed()
        })
        .collect();
    times.sort();
    table.at_most(format!("{what}, commit to serving p50"), quantile_ms(&times, 0.5), "ms", goal_ms);
    table.note(format!("{what}, commit to serving, worst"), quantile_ms(&times, 1.0), "ms");
}
