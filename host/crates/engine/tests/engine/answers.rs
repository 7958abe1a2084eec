//! Guests that behave.

use http_body_util::BodyExt;
use spaceport_core::manifest::Isolation;

use crate::harness::{World, eventually, request};

#[tokio::test(flavor = "multi_thread")]
async fn hello_is_said_by_both_versions_of_the_interface() {
    let world = World::new();
    for name in ["hello", "hello_p3"] {
        let space = world.launch(name).await;
        assert_eq!(space.get("/").await.unwrap(), "hello", "{name}");
        let usage = space.running.usage();
        assert_eq!((usage.instances, usage.cold_starts), (1, 1), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_instance_serves_one_request_after_the_other() {
    let world = World::new();
    let space = world.launch("counter").await;
    for n in 1..=20 {
        assert_eq!(space.get("/").await.unwrap(), n.to_string());
    }
    assert_eq!(space.running.usage().cold_starts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_isolation_request_every_request_gets_a_fresh_instance() {
    let world = World::new();
    let space = world.launch_with("counter", |spec| spec.isolation = Isolation::Request).await;
    for _ in 0..5 {
        assert_eq!(space.get("/").await.unwrap(), "1");
    }
    assert_eq!(space.running.usage().cold_starts, 5);
    space.empties().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn serial_guests_run_side_by_side_in_instances_of_their_own() {
    let world = World::new();
    let space = world.launch("slow").await;
    let answers = futures_util::future::join_all((0..8).map(|_| space.get("/?ms=300"))).await;
    assert!(answers.iter().all(|answer| answer.as_deref() == Ok("slow")), "{answers:?}");
    assert_eq!(space.running.usage().instances, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_concurrent_guest_holds_many_waiting_requests_in_few_instances() {
    const REQUESTS: usize = 32;
    let world = World::new();
    let space = world.launch("sleep_p3").await;
    let mut answers = Vec::new();
    // One after the other: how many a burst starts depends on how busy the machine is.
    for number in 1..=REQUESTS {
        let running = space.running.clone();
        answers.push(tokio::spawn(async move { running.call(request("/?ms=3000")).await.is_ok() }));
        let is_at_work = || space.running.in_flight() >= number || answers.iter().any(|answer| answer.is_finished());
        eventually("it is at work", is_at_work).await;
    }
    let usage = space.running.usage();
    assert!(usage.instances <= REQUESTS as u64 / 4, "{usage:?}");
    for answer in answers {
        assert!(answer.await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_both_ways_byte_for_byte() {
    let world = World::new();
    let space = world.launch("echo").await;
    let sent: bytes::Bytes = (0..3_000_000u32).map(|n| (n % 251) as u8).collect::<Vec<_>>().into();
    let request = request("/body").map(|_| http_body_util::Full::new(sent.clone()));
    let body = space.running.call(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert!(body == sent, "{} of {} bytes", body.len(), sent.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_events_outlives_the_deadline_for_the_head() {
    let world = World::new();
    let space = world.launch_with("sse", |spec| spec.limits.first_byte = std::time::Duration::from_millis(100)).await;
    let events = space.get("/events").await.unwrap();
    assert_eq!(events.matches("tick").count(), 5, "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guest_sees_its_environment_and_its_words_reach_the_log() {
    let world = World::new();
    let space = world.launch("env").await;
    assert!(space.get("/").await.unwrap().contains(r#""SPACE_ID":"owner/name""#));
    let flood = world.launch("log_flood").await;
    assert_eq!(flood.get("/flood?mib=2").await.unwrap(), "still here");
    eventually("two megabytes are in the log", || flood.log.text().len() == 2 << 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_from_another_runtime_are_answered_and_leave_no_instance_there() {
    let world = World::new();
    let space = world.launch("counter").await;
    let running = space.running.clone();
    let elsewhere = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let answer = running.call(request("/")).await.unwrap();
            answer.into_body().collect().await.unwrap().to_bytes()
        })
    });
    assert_eq!(tokio::task::spawn_blocking(|| elsewhere.join().unwrap()).await.unwrap(), "1");
    // That runtime is gone; the instance it started the call for must not be.
    eventually("the instance is free", || space.running.in_flight() == 0).await;
    assert_eq!(space.get("/").await.unwrap(), "2");
}
