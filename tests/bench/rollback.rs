//! Going back to an older release while visitors go on asking.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use spaceport_tests::{Files, TestHost, TestSpace, guest, wait};

use crate::load::quantile_ms;
use crate::table::Table;

/// Rounds measured, to and fro between two releases.
const ROUNDS: u64 = 20;
/// Visitors at the same time.
const VISITORS: usize = 4;
/// Between two visits of one: some 200 a second of all together.
const PACE: Duration = Duration::from_millis(20);
/// The longest that going back may take.
const GOAL_MS: f64 = 100.0;
/// How long a release may take to be served at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// What visitors saw.
#[derive(Default)]
struct Seen {
    answers: AtomicU64,
    failures: AtomicU64,
}

/// A static Space.
pub fn site(table: &mut Table) {
    let host = TestHost::start();
    let files = |mark: &str| Files::site(&[("index.html", &format!("<head></head>{mark}"))]);
    measure(table, "rollback, static", &TestSpace::create(&host, "site", "static"), files);
}

/// A component, whose environment tells the title in its README.
pub fn component(table: &mut Table) {
    let host = TestHost::start();
    let files = |mark: &str| {
        let readme = format!("---\ntitle: {mark}\nsdk: wasm\n---\n");
        Files::default().with("app.wasm", guest("env")).with("README.md", readme)
    };
    measure(table, "rollback, component", &TestSpace::create(&host, "app", "wasm"), files);
}

fn measure(table: &mut Table, what: &str, space: &TestSpace<'_>, files: impl Fn(&str) -> Files) {
    let marks = ["release-one", "release-two"];
    let numbers = marks.map(|mark| {
        let commit = space.push(files(mark));
        space.serves(&commit);
        number(space, &commit)
    });
    let (seen, is_over) = (Seen::default(), AtomicBool::new(false));
    let (mut answered, mut served) = std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..VISITORS).map(|_| scope.spawn(|| visit(space, &seen, &is_over))).collect();
        let times = (0..ROUNDS).map(|round| {
            let there = usize::try_from(round % 2).unwrap_or_default();
            go_back(space, numbers[there], marks[there], &seen)
        });
        let times: (Vec<_>, Vec<_>) = times.unzip();
        is_over.store(true, Ordering::SeqCst);
        visitors.into_iter().for_each(|visitor| visitor.join().unwrap_or_else(|_| panic!("a visitor panicked")));
        times
    });
    answered.sort();
    served.sort();
    table.note(format!("{what}, until answered, p50"), quantile_ms(&answered, 0.5), "ms");
    table.at_most(format!("{what}, until served, p50"), quantile_ms(&served, 0.5), "ms", GOAL_MS);
    table.at_most(format!("{what}, until served, worst"), quantile_ms(&served, 1.0), "ms", GOAL_MS);
    table.note(format!("{what}, visits meanwhile"), seen.answers.load(Ordering::SeqCst) as f64, "");
    table.at_most(format!("{what}, failed visits"), seen.failures.load(Ordering::SeqCst) as f64, "", 0.0);
}

/// Goes back once; the times until the call is answered and until the release is served.
fn go_back(space: &TestSpace<'_>, number: u64, mark: &str, seen: &Seen) -> (Duration, Duration) {
    // Each round under load from its beginning on.
    let visits = seen.answers.load(Ordering::SeqCst);
    let is_visited = || (seen.answers.load(Ordering::SeqCst) > visits + VISITORS as u64).then_some(());
    assert!(wait::until(PATIENCE, is_visited).is_some(), "nobody visits");
    let started = Instant::now();
    let runtime = space.post(&format!("/releases/{number}/rollback"), Value::Null);
    let answered = started.elapsed();
    let is_served = wait::until(PATIENCE, || space.get("/").text().contains(mark).then_some(()));
    assert!(is_served.is_some(), "release {number} was not served: {runtime}");
    (answered, started.elapsed())
}

fn visit(space: &TestSpace<'_>, seen: &Seen, is_over: &AtomicBool) {
    let visitor = space.host.visitor();
    while !is_over.load(Ordering::SeqCst) {
        let answer = visitor.try_send("GET", &space.authority, "/", &[], &[]);
        let is_whole =
            answer.is_ok_and(|answer| answer.status == 200 && answer.is_complete && answer.text().contains("release-"));
        let counter = if is_whole { &seen.answers } else { &seen.failures };
        counter.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(PACE);
    }
}

/// The number of the release that a commit has become.
fn number(space: &TestSpace<'_>, commit: &str) -> u64 {
    let releases = space.api("GET", "/releases", &[], &[]).json();
    let all = releases["items"].as_array().cloned().unwrap_or_default();
    let found = all.iter().find(|release| release["revision"] == commit).and_then(|release| release["number"].as_u64());
    found.unwrap_or_else(|| panic!("{commit} is no release: {releases}"))
}
