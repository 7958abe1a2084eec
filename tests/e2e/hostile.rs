//! Guests written to do harm: to the host's memory, to what others keep secret, to everybody's share of the machine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use spaceport_tests::neighbour::Neighbour;
use spaceport_tests::{TestHost, TestSpace};

/// Instances of the one that leave marks, and of the other that look for them.
const ROUNDS: usize = 24;
/// No call of the host works for longer on what a guest passes; generous beside other tests.
const CALL: Duration = Duration::from_secs(5);
/// What the host's memory may have grown by when the giants are gone.
const KEPT: u64 = 64 << 20;
/// Visitors of the one Space, more than it has places.
const CROWD: usize = 200;
/// How long the neighbour's visits are counted.
const COUNTED: Duration = Duration::from_secs(1);

#[test]
fn nothing_of_one_space_is_left_for_another() {
    let host = TestHost::start();
    let shared = host.run_guest("shared", "residue", "");
    assert!(shared.get("/mark").text().starts_with("marked"));
    let seen = shared.get("/scan").text();
    assert!(!seen.starts_with("found 0 ") && seen.ends_with("files 1"), "an instance sees its own mark: {seen}");

    // The same component, so that the pool gives the one's slots to the other first.
    let [marker, reader] =
        ["marker", "reader"].map(|name| host.run_guest(name, "residue", "wasm:\n  isolation: request"));
    let neighbour = Neighbour::of(&host);
    neighbour.unharmed_by(|| {
        for round in 0..ROUNDS {
            let path = if round % 3 == 0 { "/mark?trap=1" } else { "/mark" };
            let answer = marker.get(path);
            assert_eq!(answer.status, if round % 3 == 0 { 502 } else { 200 }, "{}", answer.text());
            let seen = reader.get("/scan").text();
            assert!(seen.starts_with("found 0 ") && seen.ends_with("files 0"), "round {round}: {seen}");
        }
    });
    let seen = marker.get("/scan").text();
    assert!(seen.ends_with("files 0"), "a request's /tmp is its own: {seen}");
}

#[test]
fn what_is_passed_to_the_host_without_measure_ends_the_request_alone() {
    let host = TestHost::start();
    let space = host.run_guest("giants", "giants", "");
    let neighbour = Neighbour::of(&host);
    let before = host.resident();
    neighbour.unharmed_by(|| {
        for (what, count) in
            [("line", 64 << 20), ("poll", 10_000_000), ("fields", 32_769), ("field", 32_769), ("random", 1 << 30)]
        {
            let started = Instant::now();
            let answer = space.get(&format!("/?what={what}&count={count}"));
            let took = started.elapsed();
            let is_refused = answer.status == 200 && answer.text().contains("Err(");
            assert!(answer.fault() == Some("guest_trap") || is_refused, "{what}: {} {}", answer.status, answer.text());
            assert!(took < CALL, "{what}: {took:?}");
            assert_eq!(space.get("/").text(), "ready", "after {what}");
        }
    });
    let back =
        spaceport_tests::wait::until(Duration::from_secs(10), || (host.resident() < before + KEPT).then_some(()));
    assert!(back.is_some(), "{} MiB before, {} MiB after", before >> 20, host.resident() >> 20);
}

#[test]
fn a_crowd_at_one_space_leaves_another_its_share() {
    let host = TestHost::start();
    let crowded = host.run_guest("crowded", "burn", "");
    let innocent = host.run_guest("innocent", "burn", "");
    let alone = visits(&innocent);
    let is_over = AtomicBool::new(false);
    let beside = std::thread::scope(|scope| {
        for _ in 0..CROWD {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let answer = crowded.get("/?rounds=5000000");
                    assert!(matches!(answer.fault(), None | Some("space_busy")), "{}", answer.text());
                }
            });
        }
        let begun = spaceport_tests::wait::until(Duration::from_secs(20), || {
            (host.metric(&format!("spaceport_space_instances{{space=\"{}\"}}", crowded.id)) >= 32.0).then_some(())
        });
        let beside = visits(&innocent);
        is_over.store(true, Ordering::SeqCst);
        assert!(begun.is_some(), "the crowd did not come");
        beside
    });
    // Between a third and two thirds were measured on two cores.
    assert!(beside * 5 >= alone, "{alone} visits alone, {beside} beside the crowd");
}

/// Visits one after the other, for a while; each takes some milliseconds of work.
fn visits(space: &TestSpace<'_>) -> u32 {
    let started = Instant::now();
    let mut visits = 0;
    while started.elapsed() < COUNTED {
        assert_eq!(space.get("/?rounds=2000000").status, 200);
        visits += 1;
    }
    visits
}
