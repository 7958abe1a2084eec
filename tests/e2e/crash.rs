//! `kill -9` at any moment: what was acknowledged is there afterwards, nothing is half there, and the host starts by
//! itself.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use spaceport_tests::{Client, Files, TestHost, TestSpace, wait};

/// Rounds of writing and killing.
const ROUNDS: u32 = 8;
/// How long the writers may take until each was told of enough.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes the numbers from 1 on into one place of a round, one after the other.
struct Writer {
    path: &'static str,
    content_type: &'static str,
    body: fn(round: u32, number: u32) -> String,
}

const WRITERS: [Writer; 2] = [
    Writer {
        path: "/variables",
        content_type: "application/json",
        body: |round, number| json!({"key": format!("ROUND_{round}"), "value": number.to_string()}).to_string(),
    },
    Writer {
        path: "/commit/main",
        content_type: "application/x-ndjson",
        body: |round, number| {
            let header = json!({"key": "header", "value": {"summary": "test"}});
            let file =
                json!({"path": format!("round-{round}.txt"), "content": number.to_string(), "encoding": "utf-8"});
            format!("{header}\n{}", json!({"key": "file", "value": file}))
        },
    },
];

impl Writer {
    /// Writes until the host is gone. `told` is the last number that the host has acknowledged.
    fn write_until_killed(&self, client: &Client, domain: &str, round: u32, told: &AtomicU32) {
        for number in 1.. {
            let path = format!("/api/spaces/{}/kept{}", spaceport_tests::host::USER, self.path);
            let headers = [("content-type", self.content_type)];
            let body = (self.body)(round, number);
            let Ok(answer) = client.try_send("POST", domain, &path, &headers, body.as_bytes()) else { return };
            if !answer.is_complete {
                return;
            }
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            told.store(number, Ordering::SeqCst);
        }
    }
}

#[test]
fn acknowledged_writes_survive_being_killed() {
    lose_nothing(TestHost::start(), ROUNDS, TestHost::kill);
}

/// Writes until the host is ended, round after round, and looks each time whether all is there that was acknowledged.
pub(crate) fn lose_nothing(mut host: TestHost, rounds: u32, end: impl Fn(&mut TestHost)) {
    TestSpace::create(&host, "kept", "static").push(Files::site(&[("index.html", "start")]));
    // What each writer's place held after each round; it stays so from then on.
    let mut settled: Vec<[u32; 2]> = Vec::new();
    for round in 0..rounds {
        let told = write_until_ended(&mut host, round, &end);
        host.boot();
        let space = TestSpace::named(&host, "kept", ".static");
        let found = found(&space, round);
        for ((before, now), earlier) in settled.iter().zip(&found).zip(0..) {
            assert_eq!(before, now, "round {round} has changed what round {earlier} wrote");
        }
        let last = found[round as usize];
        for (found, told) in last.into_iter().zip(told) {
            // A writer waits for each answer, so at most one write can be there that it was not told of.
            assert!((told..=told + 1).contains(&found), "round {round}: told of {told}, but {found} is there");
        }
        settled.push(last);
    }
}

/// Ends the host in the midst of writes; returns the last number that each writer was told is stored.
fn write_until_ended(host: &mut TestHost, round: u32, end: impl Fn(&mut TestHost)) -> [u32; 2] {
    let (client, domain) = (host.client(), host.domain());
    let told = [AtomicU32::new(0), AtomicU32::new(0)];
    let is_enough = || told.iter().all(|told| told.load(Ordering::SeqCst) > round % 4);
    std::thread::scope(|scope| {
        for (writer, told) in WRITERS.iter().zip(&told) {
            let (client, domain) = (&client, &domain);
            scope.spawn(move || writer.write_until_killed(client, domain, round, told));
        }
        let enough = wait::until(PATIENCE, || is_enough().then_some(()));
        end(host);
        assert!(enough.is_some(), "the writers were not answered: {told:?}");
    });
    told.map(AtomicU32::into_inner)
}

/// The numbers in the places of all rounds up to this one.
#[track_caller]
fn found(space: &TestSpace<'_>, round: u32) -> Vec<[u32; 2]> {
    let head = space.api("GET", "", &[], &[]).json()["sha"].as_str().unwrap().to_owned();
    space.serves(&head);
    let variables = space.api("GET", "/variables", &[], &[]).json();
    let number = |text: &str| text.trim().parse().unwrap_or_else(|error| panic!("{text:?} is half a write: {error}"));
    let places = (0..=round).map(|round| {
        let variable = match &variables[format!("ROUND_{round}")]["value"] {
            Value::Null => 0,
            value => number(value.as_str().unwrap()),
        };
        let file = space.get(&format!("/round-{round}.txt"));
        [variable, if file.status == 404 { 0 } else { number(&file.text()) }]
    });
    places.collect()
}

#[test]
fn a_commit_whose_build_was_cut_off_is_built_after_the_restart() {
    let mut host = TestHost::start();
    let commit = {
        let space = host.run_guest("app", "hello", "");
        space.push(Files::default().with("app.wasm", spaceport_tests::guest("counter")))
    };
    host.kill();
    host.boot();
    let space = TestSpace::named(&host, "app", "");
    space.serves(&commit);
    assert!(space.get("/").text().trim().parse::<u64>().is_ok());
}

#[test]
fn a_ruined_index_is_rebuilt_from_the_journal() {
    let mut host = TestHost::start();
    host.push("kept", Files::site(&[("index.html", "still here")])).reaches("RUNNING");
    host.kill();
    let sled = host.data().join("store").join("sled");
    for entry in std::fs::read_dir(&sled).unwrap().flatten() {
        if entry.path().is_file() {
            std::fs::write(entry.path(), b"ruined").unwrap();
        }
    }
    host.boot();
    let space = TestSpace::named(&host, "kept", ".static");
    space.reaches("RUNNING");
    assert!(space.get("/").text().contains("still here"));
    assert!(host.log().contains("rebuilt"), "the host says what it did");
}

#[test]
fn without_its_index_a_host_starts_and_knows_all() {
    let mut host = TestHost::start();
    let token = host.run(&["token", "create", "--user", spaceport_tests::host::USER, "--role", "read"]);
    {
        let app = host.run_guest("app", "env", "");
        app.post("/variables", json!({"key": "KEPT", "value": "a variable"}));
        app.post("/secrets", json!({"key": "SEALED", "value": "a secret"}));
        app.post("/sleeptime", json!({"seconds": 7200}));
        host.run_guest("paused", "hello", "").post("/pause", json!({}));
        TestSpace::create(&host, "gone", "static").delete();
    }
    let before = known(&host);
    host.kill();
    std::fs::remove_dir_all(host.data().join("store/sled")).unwrap();
    host.boot();
    let app = TestSpace::named(&host, "app", "");
    app.reaches("RUNNING");
    assert_eq!(known(&host), before);
    let env = app.get("/").json();
    assert_eq!((&env["KEPT"], &env["SEALED"]), (&json!("a variable"), &json!("a secret")));
    assert_eq!(TestSpace::named(&host, "paused", "").stage(), "PAUSED");
    let reader = Client::new(host.address(), Some(token.trim().to_owned()));
    assert_eq!(reader.get(&host.domain(), "/api/whoami-v2").json()["name"], spaceport_tests::host::USER);
    // And it is a database to write to.
    app.post("/variables", json!({"key": "NEW", "value": "since then"}));
}

/// All that the API tells of the Spaces there are, but for what passes by itself and the port.
fn known(host: &TestHost) -> Vec<Value> {
    let spaces = host.client().get(&host.domain(), "/api/spaces?author=ada&full=true").json();
    let mut known: Vec<Value> = spaces.as_array().unwrap().clone();
    known.iter_mut().for_each(|space| drop(space.as_object_mut().unwrap().remove("runtime")));
    let app = TestSpace::named(host, "app", "");
    known.extend(["", "/variables", "/secrets", "/releases", "/refs"].map(|rest| {
        let mut told = app.api("GET", rest, &[], &[]).json();
        told.as_object_mut().map(|told| told.remove("runtime"));
        told
    }));
    known.push(app.runtime()["gcTimeout"].clone());
    serde_json::from_str(&Value::from(known).to_string().replace(&host.domain(), "localhost")).unwrap()
}
