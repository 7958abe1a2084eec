//! Guests that misbehave hurt their own request and nobody else's.

use std::time::Duration;

use spaceport_tests::{TestHost, wait};

/// Visitors at the same time that an app has room for whose instances take one request each.
const VISITORS: usize = 64;

#[test]
fn a_trap_before_the_head_is_a_502_and_the_next_request_is_answered() {
    let host = TestHost::start();
    for (name, guest) in [("two", "trap_before"), ("three", "trap_p3")] {
        let space = host.run_guest(name, guest, "");
        let answer = space.get("/trap");
        assert_eq!((answer.status, answer.fault()), (502, Some("guest_trap")), "{guest}: {}", answer.text());
        assert_eq!(space.get("/").status, 200, "{guest}");
        space.logs("trap");
    }
}

#[test]
fn a_trap_in_mid_body_breaks_the_stream() {
    let host = TestHost::start();
    let space = host.run_guest("after", "trap_after", "");
    let answer = space.get("/trap");
    assert_eq!(answer.status, 200);
    assert!(!answer.is_complete, "a truncated answer must not look whole: {:?}", answer.text());
    assert_eq!(space.get("/").status, 200);
}

#[test]
fn a_body_larger_than_any_buffer_comes_whole() {
    let host = TestHost::start();
    let answer = host.run_guest("big", "big_body", "").get("/?mib=24");
    assert_eq!((answer.status, answer.is_complete), (200, true));
    assert_eq!(answer.body.len(), 24 << 20);
    assert!(answer.body.iter().all(|byte| *byte == b'b'));
}

#[test]
fn a_guest_that_sets_no_response_is_told_apart() {
    let host = TestHost::start();
    let space = host.run_guest("mute", "no_response", "");
    let answer = space.get("/mute");
    assert_eq!((answer.status, answer.fault()), (502, Some("guest_no_response")), "{}", answer.text());
}

#[test]
fn shared_instances_live_on_and_request_instances_do_not() {
    let host = TestHost::start();
    let shared = host.run_guest("shared", "counter", "");
    let counts: Vec<u64> = (0..5).map(|_| shared.get("/").text().trim().parse().unwrap()).collect();
    assert!(counts.iter().max() > counts.iter().min(), "{counts:?}");
    let fresh = host.run_guest("fresh", "counter", "wasm:\n  isolation: request");
    let counts: Vec<u64> = (0..5).map(|_| fresh.get("/").text().trim().parse().unwrap()).collect();
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
}

#[test]
fn a_flood_of_log_lines_stays_small_and_the_guest_goes_on() {
    let host = TestHost::start();
    let space = host.run_guest("flood", "log_flood", "");
    assert_eq!(space.get("/flood?mib=64").status, 200);
    let small = wait::until(Duration::from_secs(10), || (size_of(&host.data().join("logs")) < 24 << 20).then_some(()));
    assert!(small.is_some(), "{} bytes of logs", size_of(&host.data().join("logs")));
    space.logs("dropped");
}

fn size_of(folder: &std::path::Path) -> u64 {
    std::fs::read_dir(folder).map_or(0, |entries| {
        entries
            .flatten()
            .map(|entry| match entry.metadata() {
                Ok(data) if data.is_dir() => size_of(&entry.path()),
                Ok(data) => data.len(),
                Err(_) => 0,
            })
            .sum()
    })
}

#[test]
fn a_visitor_who_leaves_frees_the_instance() {
    let host = TestHost::start_with("[limits]\nqueue = \"300ms\"\n");
    let space = host.run_guest("body", "infinite_body", "");
    let visitors: Vec<_> = (0..VISITORS).map(|_| host.open_stream(&space.authority, "/forever")).collect();
    let turned_away = space.get("/");
    assert_eq!((turned_away.status, turned_away.fault()), (503, Some("space_busy")), "they take all there is");
    drop(visitors);
    let answered = wait::until(Duration::from_secs(20), || (space.get("/").status == 200).then_some(()));
    assert!(answered.is_some(), "instances work for nobody");
    assert_eq!(space.get("/").text().trim(), "finite");
}

#[test]
fn an_app_that_cannot_start_is_a_runtime_error_and_is_tried_again() {
    let host = TestHost::start_with("[limits]\ncold_start = \"1s\"\n");
    let space = host.push("start", spaceport_tests::Files::guest("spin_start", "wasm:\n  timeout: 1s"));
    let runtime = space.reaches("RUNTIME_ERROR");
    assert!(runtime["errorMessage"].is_string(), "{runtime}");
    let answer = space.get("/");
    assert_eq!(answer.status, 503, "{}", answer.text());
    space.reaches("APP_STARTING");
}

#[test]
fn an_app_learns_the_facts_of_its_space() {
    let host = TestHost::start();
    let space = host.run_guest("facts", "facts", "");
    let text = space.get("/").text();
    assert!(text.contains("ada/facts"), "{text}");
    assert!(text.contains(space.runtime()["sha"].as_str().unwrap()), "{text}");
}
