//! `kill -9` at any moment: what was acknowledged is there afterwards, nothing is half there, and the host starts by
//! itself.

use serde_json::json;
use spaceport_tests::{Files, TestHost, TestSpace};

/// Rounds of writing and killing.
const ROUNDS: u32 = 8;

#[test]
fn acknowledged_writes_survive_being_killed() {
    let mut host = TestHost::start();
    TestSpace::create(&host, "kept", "static").push(Files::site(&[("index.html", "start")]));
    let mut acknowledged: Vec<(String, String)> = Vec::new();
    let mut last_commit = String::new();
    for round in 0..ROUNDS {
        {
            let space = TestSpace::named(&host, "kept", ".static");
            for step in 0..=round {
                let (key, value) = (format!("KEY_{round}_{step}"), format!("value {step}"));
                space.post("/variables", json!({"key": key, "value": value}));
                acknowledged.push((key, value));
            }
            last_commit = space.push(Files::default().with("index.html", format!("round {round}")));
        }
        host.kill();
        host.boot();
        let space = TestSpace::named(&host, "kept", ".static");
        let variables = space.api("GET", "/variables", &[], &[]).json();
        for (key, value) in &acknowledged {
            assert_eq!(variables[key]["value"], *value, "round {round}: {key} is lost");
        }
        space.serves(&last_commit);
        assert!(space.get("/").text().contains(&format!("round {round}")));
    }
    assert!(!last_commit.is_empty());
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
