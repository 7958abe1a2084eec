//! Guests that take too long, each in its own way.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use spaceport_core::fault::Fault;

use crate::harness::{Space, World, eventually};

const LIMIT: Duration = Duration::from_millis(400);
/// How late a deadline may be noticed: two slices of a loop, and a busy machine.
const SLACK: Duration = Duration::from_millis(400);

async fn limited(world: &World, name: &str) -> Space {
    world.launch_with(name, |spec| spec.limits.first_byte = LIMIT).await
}

async fn times_out(space: &Space, path: &str) {
    let began = Instant::now();
    assert_eq!(space.get(path).await, Err(Fault::GuestDeadline(LIMIT)));
    let took = began.elapsed();
    assert!(took >= LIMIT && took < LIMIT + SLACK, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_spins_is_ended_at_its_deadline_and_replaced() {
    let world = World::new();
    for name in ["spin_forever", "spin_p3"] {
        let space = limited(&world, name).await;
        times_out(&space, "/loop").await;
        space.empties().await;
        assert_eq!(space.get("/").await.unwrap(), "quiet", "{name}");
        let cpu = space.running.usage().cpu;
        assert!(cpu >= LIMIT / 2 && cpu < LIMIT + SLACK, "{name} used {cpu:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_sleeps_is_ended_at_its_deadline() {
    let world = World::new();
    let space = limited(&world, "sleep_forever").await;
    times_out(&space, "/hang").await;
    space.empties().await;
    assert_eq!(space.get("/").await.unwrap(), "awake");
    let space = limited(&world, "sleep_p3").await;
    times_out(&space, "/?ms=100000").await;
    space.empties().await;
    assert_eq!(space.get("/").await.unwrap(), "awake");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_never_gets_ready_is_ended_too() {
    let world = World::new();
    let space = limited(&world, "spin_start").await;
    times_out(&space, "/").await;
    space.empties().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_in_mid_body_breaks_the_stream() {
    let world = World::new();
    let space = world.launch_with("sse", |spec| spec.limits.idle_chunk = Duration::from_millis(20)).await;
    let body = space.head("/events").await.unwrap().into_body();
    assert!(body.collect().await.is_err());
    space.empties().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_broken_off_when_its_time_is_over() {
    let world = World::new();
    let space = world
        .launch_with("infinite_body", |spec| {
            spec.limits.first_byte = LIMIT;
            spec.limits.stream = LIMIT;
        })
        .await;
    let mut body = space.head("/forever").await.unwrap().into_body();
    let began = Instant::now();
    let broken = loop {
        match body.frame().await {
            Some(Ok(_)) => assert!(began.elapsed() < Duration::from_secs(10), "still going"),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broken, "it seemed to end");
    space.empties().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_answered_while_guests_spin_on_every_thread() {
    let world = World::new();
    let spinning = world.launch_with("spin_forever", |spec| spec.limits.first_byte = Duration::from_secs(3)).await;
    let hello = world.launch("hello").await;
    hello.get("/").await.unwrap();
    let loops: Vec<_> = (0..8)
        .map(|_| {
            let running = spinning.running.clone();
            tokio::spawn(async move { running.call(crate::harness::request("/loop")).await.map(|_| ()) })
        })
        .collect();
    eventually("all of them spin", || spinning.running.usage().instances == 8).await;
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(hello.get("/").await.unwrap(), "hello");
    }
    let mean = began.elapsed() / 20;
    assert!(mean < Duration::from_millis(100), "{mean:?}");
    for spinner in loops {
        assert_eq!(spinner.await.unwrap(), Err(Fault::GuestDeadline(Duration::from_secs(3))));
    }
    spinning.empties().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_whose_client_left_is_freed() {
    let world = World::new();
    for (name, path) in
        [("spin_forever", "/loop"), ("sleep_forever", "/hang"), ("spin_p3", "/loop"), ("sleep_p3", "/?ms=99999")]
    {
        let space = world.launch(name).await;
        space.get("/").await.unwrap();
        let left = tokio::time::timeout(Duration::from_millis(100), space.head(path)).await;
        assert!(left.is_err(), "{name} answered");
        space.empties().await;
        assert_eq!(space.running.in_flight(), 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_in_mid_body_frees_the_request() {
    let world = World::new();
    let space = world.launch("infinite_body").await;
    let mut body = space.head("/forever").await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    eventually("nothing is in flight", || space.running.in_flight() == 0).await;
    assert_eq!(space.get("/").await.unwrap(), "finite");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_upload_is_not_the_guest_s_fault() {
    let world = World::new();
    let space = limited(&world, "echo").await;
    let pieces = futures_util::stream::unfold(0, |n| async move {
        tokio::time::sleep(LIMIT / 2).await;
        let frame = http_body::Frame::data(bytes::Bytes::from_static(b"piece "));
        (n < 5).then_some((Ok::<_, std::io::Error>(frame), n + 1))
    });
    let body = http_body_util::StreamBody::new(Box::pin(pieces));
    let request = http::Request::post("/body").header("host", "a.localhost").body(body).unwrap();
    let answer = space.running.call(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(answer, "piece ".repeat(5));
}
