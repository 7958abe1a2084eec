//! The end of a Space.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use spaceport_core::fault::Fault;

use crate::harness::{World, eventually, request};

#[tokio::test(flavor = "multi_thread")]
async fn stop_lets_requests_end_and_leaves_nothing() {
    let world = World::new();
    let space = world.launch("slow").await;
    let running = space.running.clone();
    let answer = tokio::spawn(async move {
        running.call(request("/?ms=300")).await.unwrap().into_body().collect().await.unwrap().to_bytes()
    });
    eventually("the request is in flight", || space.running.usage().instances == 1).await;
    space.running.stop(Duration::from_secs(5)).await;
    assert_eq!(answer.await.unwrap(), "slow");
    let usage = space.running.usage();
    assert_eq!((usage.instances, usage.memory_bytes, space.running.in_flight()), (0, 0, 0));
    assert_eq!((world.engine.memory_used(), world.engine.instances()), (0, 0));
    assert_eq!(space.get("/").await, Err(Fault::Stopped));
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_ends_what_does_not_end_by_itself() {
    let world = World::new();
    for (name, path) in [("spin_forever", "/loop"), ("sleep_forever", "/hang"), ("spin_p3", "/loop")] {
        let space = world.launch(name).await;
        let running = space.running.clone();
        let lost = tokio::spawn(async move { running.call(request(path)).await.map(|_| ()) });
        eventually("the request is in flight", || space.running.usage().instances == 1).await;
        let began = Instant::now();
        space.running.stop(Duration::from_millis(100)).await;
        assert!(began.elapsed() < Duration::from_secs(2), "{name}: {:?}", began.elapsed());
        assert_eq!(lost.await.unwrap(), Err(Fault::Stopped), "{name}");
        assert_eq!(space.running.usage().memory_bytes, 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_breaks_a_body_that_goes_on_for_ever() {
    let world = World::new();
    let space = world.launch("infinite_body").await;
    let mut body = space.head("/forever").await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    space.running.stop(Duration::ZERO).await;
    assert!(body.collect().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_is_idempotent_and_dropping_ends_everything_too() {
    let world = World::new();
    let space = world.launch("hello").await;
    space.get("/").await.unwrap();
    space.running.stop(Duration::from_secs(1)).await;
    space.running.stop(Duration::from_secs(1)).await;
    let space = world.launch("hello").await;
    space.get("/").await.unwrap();
    assert_eq!(world.engine.instances(), 1);
    drop(space);
    eventually("nothing is left", || world.engine.instances() == 0 && world.engine.memory_used() == 0).await;
}
