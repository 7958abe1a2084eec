//! Stages as an owner and a visitor see them.

use std::time::Duration;

use serde_json::json;
use spaceport_tests::{Files, TestHost, wait};

#[test]
fn a_paused_space_is_not_woken_by_visitors_and_resumes_on_restart() {
    let host = TestHost::start();
    let space = host.run_guest("app", "hello", "");
    space.post("/pause", json!({}));
    assert_eq!(space.stage(), "PAUSED");
    let answer = space.get("/");
    assert_eq!((answer.status, answer.fault()), (503, Some("space_paused")));
    assert_eq!(space.stage(), "PAUSED");
    space.post("/restart", json!({}));
    space.reaches("RUNNING");
    assert_eq!(space.get("/").text().trim(), "hello");
}

#[test]
fn an_idle_space_sleeps_and_wakes_for_a_visitor() {
    let host = TestHost::start_with("[lifecycle]\nsleep_after = \"300ms\"\n");
    let space = host.run_guest("app", "hello", "");
    space.reaches("SLEEPING");
    let answer = space.get("/");
    assert_eq!((answer.status, answer.text().trim()), (200, "hello"));
    assert_eq!(space.stage(), "RUNNING");
}

#[test]
fn a_herd_of_visitors_starts_a_sleeper_once() {
    let host = TestHost::start_with("[lifecycle]\nsleep_after = \"300ms\"\n");
    let space = host.run_guest("app", "counter", "");
    space.reaches("SLEEPING");
    let answers: Vec<_> = std::thread::scope(|scope| {
        let herd: Vec<_> = (0..100).map(|_| scope.spawn(|| space.get("/"))).collect();
        herd.into_iter().map(|visitor| visitor.join().unwrap()).collect()
    });
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(served, answers.len(), "{:?}", answers.iter().find(|answer| answer.status != 200));
}

#[test]
fn changed_variables_reach_the_app_without_a_failed_request() {
    let host = TestHost::start();
    let space = host.run_guest("app", "env", "");
    assert!(space.get("/").json().get("GREETING").is_none());
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let visitor = scope.spawn(|| {
            let mut answers = Vec::new();
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                answers.push(space.get("/").status);
            }
            answers
        });
        space.post("/variables", json!({"key": "GREETING", "value": "hej"}));
        let seen = wait::until(Duration::from_secs(20), || (space.get("/").json()["GREETING"] == "hej").then_some(()));
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        let answers = visitor.join().unwrap();
        assert!(seen.is_some(), "the variable did not arrive");
        assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    });
}

#[test]
fn secrets_reach_the_app_and_nothing_else() {
    let host = TestHost::start();
    let space = host.run_guest("app", "env", "");
    space.post("/secrets", json!({"key": "PASSWORD", "value": "canary-7b1f"}));
    let seen =
        wait::until(Duration::from_secs(20), || (space.get("/").json()["PASSWORD"] == "canary-7b1f").then_some(()));
    assert!(seen.is_some(), "the secret did not arrive");
    let secrets = space.api("GET", "/secrets", &[], &[]);
    assert!(secrets.text().contains("PASSWORD") && !secrets.text().contains("canary"), "{}", secrets.text());
    assert!(!host.log().contains("canary-7b1f"));
    space.get("/?say=LAST-LINE");
    let told = space.log_up_to("run", "LAST-LINE");
    assert!(!told.contains("canary-7b1f"), "{told}");
    assert!(!holds(&host.data(), b"canary-7b1f"), "the secret is on disk in the clear");
}

/// Whether any file below a folder holds these bytes.
fn holds(folder: &std::path::Path, needle: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            holds(&path, needle)
        } else {
            std::fs::read(&path).is_ok_and(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
        }
    })
}

#[test]
fn the_environment_is_the_documented_one() {
    let host = TestHost::start();
    let env = host.run_guest("My_App", "env", "").get("/").json();
    for (name, value) in [
        ("SPACE_ID", "ada/My_App"),
        ("SPACE_AUTHOR_NAME", "ada"),
        ("SPACE_REPO_NAME", "My_App"),
        ("SPACE_TITLE", "env"),
        ("CPU_CORES", "2"),
        ("MEMORY", "16Gi"),
        ("ACCELERATOR", "none"),
    ] {
        assert_eq!(env[name], value, "{name}: {env}");
    }
    assert_eq!(env["SPACE_HOST"].as_str().unwrap(), format!("ada-my-app.{}", host.domain()));
    assert_eq!(env["SPACE_CREATOR_USER_ID"].as_str().unwrap().len(), 24);
}

#[test]
fn all_of_it_survives_a_restart_of_the_host() {
    let mut host = TestHost::start();
    {
        let running = host.run_guest("running", "hello", "");
        running.post("/variables", json!({"key": "KEPT", "value": "yes"}));
        host.run_guest("paused", "hello", "").post("/pause", json!({}));
        host.push("site", Files::site(&[("index.html", "still here")])).reaches("RUNNING");
    }
    assert_eq!(host.stop(), 0);
    host.boot();
    let running = spaceport_tests::TestSpace::named(&host, "running", "");
    running.reaches("RUNNING");
    assert_eq!(running.get("/").text().trim(), "hello");
    assert_eq!(running.api("GET", "/variables", &[], &[]).json()["KEPT"]["value"], "yes");
    assert_eq!(spaceport_tests::TestSpace::named(&host, "paused", "").stage(), "PAUSED");
    assert!(spaceport_tests::TestSpace::named(&host, "site", ".static").get("/").text().contains("still here"));
}

#[test]
fn operations_that_static_spaces_do_not_have_are_refused() {
    let host = TestHost::start();
    let space = host.push("site", Files::site(&[("index.html", "x")]));
    space.reaches("RUNNING");
    for operation in ["/pause", "/restart"] {
        assert_eq!(space.api("POST", operation, &[], &[]).status, 400, "{operation}");
    }
}
