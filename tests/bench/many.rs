//! A host with ten thousand Spaces: its start, its memory, its lists, and the wake of single ones.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spaceport_tests::{Files, TestHost, TestSpace, wait};

use crate::load::{Connection, quantile_ms};
use crate::table::Table;

/// Spaces of the host.
const SPACES: usize = 10_000;
/// Starts measured.
const STARTS: usize = 3;
/// Requests measured of each kind.
const REQUESTS: usize = 200;
/// Spaces changed, each before a list.
const CHANGES: usize = 50;
/// Spaces woken of each kind.
const WAKES: usize = 50;
/// The longest that a list or a Space's page of the API may take.
const ANSWER_MS: f64 = 20.0;
/// The longest that a start may take.
const START_S: f64 = 3.0;
/// A host that uses less of a core is at rest.
const REST: f64 = 0.05;
/// The time over which that is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long a host may take until it is at rest.
const PATIENCE: Duration = Duration::from_secs(600);
/// Sleepers sleep as soon as they may, and nobody is told to ask less often.
const CONFIG: &str = "[lifecycle]\nsleep_after = \"50ms\"\n[rate_limits]\napi = 1000000\npages = 1000000\n";
/// The lists that are asked for: what is measured, and the address.
const LISTS: [(&str, &str); 12] = [
    ("list, first page", "/api/spaces"),
    ("list, page deep inside", "/api/spaces?cursor=9000"),
    ("list of an author", "/api/spaces?author=owner-007"),
    ("list by tag", "/api/spaces?filter=vision"),
    ("list by kind", "/api/spaces?filter=static"),
    ("list, search in names", "/api/spaces?search=gallery"),
    ("list, search without result", "/api/spaces?search=zzzzzz"),
    ("list by likes", "/api/spaces?sort=likes"),
    ("list by trend", "/api/spaces?sort=trendingScore"),
    ("list, oldest first", "/api/spaces?sort=createdAt&direction=1"),
    ("search by words", "/api/spaces/semantic-search?q=gallery+sights&includeNonRunning=true"),
    ("front page", "/"),
];

/// All of it, since making the Spaces takes longest.
pub fn spaces(table: &mut Table) {
    let mut host = TestHost::start_with(CONFIG);
    let few = host_with_originals(&mut host);
    populate(&host);
    starts(table, &mut host);
    let (own, children) = at_rest(&host);
    table.note("many, a start's work until the host is at rest", (own + children).as_secs_f64(), "s of a core");
    let resident = host.resident();
    table.note("many, resident with 10,000 sleepers", mib(resident), "MiB");
    table.note("many, resident for each sleeper", resident.saturating_sub(few) as f64 / SPACES as f64 / 1024.0, "KiB");
    lists(table, &host);
    list_after_changes(table, &host);
    infos(table, &host);
    wakes(table, &host);
    table.note("many, resident at the end", mib(host.resident()), "MiB");
}

/// Spaces of both kinds to be copied; stops the host and returns what it has used with these alone.
fn host_with_originals(host: &mut TestHost) -> u64 {
    for (name, tag) in [("sights", "vision"), ("sounds", "audio"), ("words", "text"), ("games", "fun")] {
        let front_matter = format!(
            "emoji: 🚀\ncolorFrom: red\ncolorTo: blue\nshort_description: All about {name}\ntags: [{tag}, demo]\nmodels: [ada/{name}]\n"
        );
        let readme = format!("---\ntitle: The {name}\nsdk: static\n{front_matter}---\n# {name}\n");
        let site = Files::site(&[("index.html", "<head></head>hello"), ("style.css", "a {}"), ("data/a.json", "[]")]);
        host.push(&format!("site-{name}"), site.with("README.md", readme)).reaches("RUNNING");
        host.push(&format!("app-{name}"), Files::guest("hello", &front_matter)).reaches("SLEEPING");
    }
    let few = host.resident();
    assert_eq!(host.stop(), 0);
    few
}

/// Makes the Spaces, by a program that uses the host's own database and repositories.
fn populate(host: &TestHost) {
    let program = std::env::var_os("SPACEPORT_POPULATE").map(PathBuf::from);
    let program = program.unwrap_or_else(|| panic!("SPACEPORT_POPULATE is not set; run `cargo xtask bench`"));
    let started = Instant::now();
    let made = Command::new(&program).arg(host.data()).arg(SPACES.to_string()).status();
    assert!(made.as_ref().is_ok_and(|status| status.success()), "{}: {made:?}", program.display());
    eprintln!("    {SPACES} Spaces made in {:.0?}", started.elapsed());
}

fn starts(table: &mut Table, host: &mut TestHost) {
    let mut times = Vec::new();
    let mut work = Vec::new();
    for start in 0..STARTS {
        if start > 0 {
            assert_eq!(host.stop(), 0);
        }
        let started = Instant::now();
        host.boot();
        times.push(started.elapsed());
        work.push(host.cpu_time().0);
    }
    times.sort();
    work.sort();
    table.at_most("many, start until ready, median", quantile_ms(&times, 0.5) / 1e3, "s", START_S);
    table.note("many, start until ready, worst", quantile_ms(&times, 1.0) / 1e3, "s");
    table.note("many, start until ready, work", quantile_ms(&work, 0.5) / 1e3, "s of a core");
}

/// Waits until the host has nothing to do; what it and its children have used up to then.
fn at_rest(host: &TestHost) -> (Duration, Duration) {
    let mut before = (Instant::now(), host.cpu_time());
    let rest = wait::until(PATIENCE, || {
        if before.0.elapsed() < LOOK {
            return None;
        }
        let now = (Instant::now(), host.cpu_time());
        let used = now.1.0 + now.1.1 - before.1.0 - before.1.1;
        let is_at_rest = used.as_secs_f64() < REST * (now.0 - before.0).as_secs_f64();
        before = now;
        is_at_rest.then_some(now.1)
    });
    rest.unwrap_or_else(|| panic!("the host was not at rest within {PATIENCE:?}"))
}

/// Measures a series of requests: times until the last byte, and what each costs the host.
fn series(table: &mut Table, host: &TestHost, what: &str, paths: impl Iterator<Item = String>) {
    let mut connection = Connection::with_token(host.address(), &host.domain(), host.token());
    let (own, children) = host.cpu_time();
    let mut times: Vec<Duration> = paths.map(|path| connection.get(&path).whole).collect();
    let (own_after, children_after) = host.cpu_time();
    times.sort();
    let each = |used: Duration| used.as_secs_f64() * 1e3 / times.len() as f64;
    table.at_most(format!("many, {what}, p50"), quantile_ms(&times, 0.5), "ms", ANSWER_MS);
    table.at_most(format!("many, {what}, p99"), quantile_ms(&times, 0.99), "ms", ANSWER_MS);
    table.note(format!("many, {what}, work of the host"), each(own_after - own), "ms of a core");
    if children_after > children {
        table.note(format!("many, {what}, work of git"), each(children_after - children), "ms of a core");
    }
}

fn lists(table: &mut Table, host: &TestHost) {
    for (what, path) in LISTS {
        series(table, host, what, std::iter::repeat_n(path.to_owned(), REQUESTS));
    }
}

/// The first page after each of some changes, which whoever made it must find there.
fn list_after_changes(table: &mut Table, host: &TestHost) {
    let mut connection = Connection::with_token(host.address(), &host.domain(), host.token());
    let mut times = Vec::new();
    for space in listed(host, "?cursor=5000").iter().take(CHANGES) {
        let id = text(space, "id").unwrap_or_default();
        named(host, space).post("/variables", json!({"key": "CHANGED", "value": "yes"}));
        let list = connection.get("/api/spaces?limit=10");
        assert!(list.body.contains(&id), "{id} was changed last");
        times.push(list.whole);
    }
    times.sort();
    table.at_most("many, list after a change, p50", quantile_ms(&times, 0.5), "ms", ANSWER_MS);
    table.at_most("many, list after a change, p99", quantile_ms(&times, 0.99), "ms", ANSWER_MS);
}

fn infos(table: &mut Table, host: &TestHost) {
    let ids: Vec<String> =
        listed(host, "?limit=1000").iter().step_by(5).filter_map(|space| text(space, "id")).collect();
    assert_eq!(ids.len(), REQUESTS);
    let info = |id: &String| format!("/api/spaces/{id}");
    series(table, host, "info, each of another Space", ids.iter().map(info));
    series(table, host, "info, the same again", ids.iter().map(info));
    series(table, host, "runtime", ids.iter().map(|id| format!("/api/spaces/{id}/runtime")));
}

fn wakes(table: &mut Table, host: &TestHost) {
    let public =
        |space: &Value| space["private"] == false && text(space, "id").is_some_and(|id| id.starts_with("owner-"));
    for (what, query, sleeps_soon) in
        [("static", "?filter=static&limit=1000", false), ("component", "?filter=wasm&limit=1000", true)]
    {
        let all = listed(host, query);
        let spaces: Vec<TestSpace<'_>> =
            all.iter().filter(|space| public(space)).take(WAKES).map(|space| named(host, space)).collect();
        assert_eq!(spaces.len(), WAKES);
        wake(table, &format!("many, wake, {what}, files not checked out"), &spaces);
        if sleeps_soon {
            spaces.iter().for_each(|space| drop(space.reaches("SLEEPING")));
            wake(table, &format!("many, wake, {what}"), &spaces);
        }
    }
}

fn wake(table: &mut Table, what: &str, spaces: &[TestSpace<'_>]) {
    let first = |space: &TestSpace<'_>| Connection::open(space.host.address(), &space.authority).time_to_first_byte();
    let mut times: Vec<Duration> = spaces.iter().map(first).collect();
    times.sort();
    table.note(format!("{what}, p50"), quantile_ms(&times, 0.5), "ms");
    table.note(format!("{what}, p99"), quantile_ms(&times, 0.99), "ms");
}

fn listed(host: &TestHost, query: &str) -> Vec<Value> {
    let answer = host.client().get(&host.domain(), &format!("/api/spaces{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().as_array().cloned().unwrap_or_default()
}

fn named<'a>(host: &'a TestHost, space: &Value) -> TestSpace<'a> {
    let authority = text(space, "host").unwrap_or_default().replacen("http://", "", 1);
    TestSpace { host, id: text(space, "id").unwrap_or_default(), authority }
}

fn text(space: &Value, member: &str) -> Option<String> {
    Some(space[member].as_str()?.to_owned())
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
