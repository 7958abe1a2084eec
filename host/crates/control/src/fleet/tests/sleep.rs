//! Falling asleep and waking up.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use spaceport_core::hardware::DEFAULT_FLAVOR;
use spaceport_core::lifecycle::{InstanceId, Serving};
use spaceport_core::space::{Sdk, SleepAfter};
use spaceport_core::stage::Stage;

use super::{HELLO, app, files, page};
use crate::fleet::WakeError;
use crate::routes::RouteTarget;
use crate::testing::World;

#[tokio::test]
async fn an_idle_space_sleeps_and_one_start_serves_all_who_wait() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("hello"))).await;
    world.reaches(&space, Stage::Running).await;
    let request = world.slot(HELLO).begin_request(world.clock.clone());
    world.clock.advance(3600 * 1000);
    drop(request);
    world.clock.advance(3599 * 1000);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(world.fleet.state(space.id).unwrap().stage, Stage::Running, "a request was answered since");
    world.clock.advance(1000);
    world.reaches(&space, Stage::Sleeping).await;
    assert_eq!(world.get(HELLO).await, Err("asleep".into()));
    World::eventually("the stop", || world.backend.running.load(Ordering::SeqCst) == 0).await;
    World::eventually("the removal of /tmp", || !world.backend.last().tmp.exists()).await;

    world.backend.launch_gate.forget_permits(usize::MAX);
    let before = world.backend.launches.load(Ordering::SeqCst);
    let wakes = (0..500).map(|_| {
        let fleet = world.fleet.clone();
        let id = space.id;
        tokio::spawn(async move { fleet.wake(id).await })
    });
    let wakes: Vec<_> = wakes.collect();
    World::eventually("the launch", || world.backend.launches.load(Ordering::SeqCst) == before + 1).await;
    world.backend.launch_gate.add_permits(1);
    let (mut served, mut busy) = (0, 0);
    for wake in wakes {
        match wake.await.unwrap() {
            Ok(entry) => {
                assert!(matches!(entry.target, RouteTarget::Live { .. }));
                served += 1;
            }
            Err(error) => {
                assert_eq!(error, WakeError::Busy);
                busy += 1;
            }
        }
    }
    assert_eq!((served, busy), (256, 244));
    assert_eq!(world.backend.launches.load(Ordering::SeqCst), before + 1);
    assert_eq!(world.get(HELLO).await, Ok("hello".into()));
}

#[tokio::test]
async fn a_wake_is_quick() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("hello"))).await;
    world.reaches(&space, Stage::Running).await;
    let mut times = Vec::new();
    for _ in 0..20 {
        world.clock.advance(3600 * 1000);
        world.reaches(&space, Stage::Sleeping).await;
        let begun = Instant::now();
        world.fleet.wake(space.id).await.unwrap();
        times.push(begun.elapsed());
    }
    times.sort();
    assert!(times[10] < Duration::from_millis(50), "{times:?}");
}

#[tokio::test]
async fn paid_hardware_sleeps_only_as_its_owner_says() {
    let world = World::new().await;
    let mut space = world.create("hello", &files(&app("hello"))).await;
    world.reaches(&space, Stage::Running).await;
    world.change(&mut space, |space| space.hardware = "paid".into()).await;
    world
        .until(
            &space,
            "a relaunch",
            |view| matches!(&view.state.serving, Serving::Live { instance, next: None, .. } if instance.0 == 2),
        )
        .await;
    world.clock.advance(1000 * 3600 * 1000);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(world.fleet.state(space.id).unwrap().stage, Stage::Running);
    world.change(&mut space, |space| space.sleep_after = SleepAfter::After(Duration::from_secs(60))).await;
    world.until(&space, "a relaunch", |view| view.state.live_instance() == Some(InstanceId(3))).await;
    world.clock.advance(60_000);
    world.reaches(&space, Stage::Sleeping).await;
    world.change(&mut space, |space| space.hardware = DEFAULT_FLAVOR.into()).await;
    assert_eq!(world.fleet.state(space.id).unwrap().stage, Stage::Sleeping, "a sleeper is not woken by a setting");
}

#[tokio::test]
async fn an_idle_static_space_is_unloaded_unseen() {
    let world = World::new().await;
    let space = world.create("hello", &files(&page("page"))).await;
    world.reaches(&space, Stage::Running).await;
    let generation = world.slot("ada-hello.static.localhost").entry.load().generation;
    world.clock.advance(5 * 60 * 1000);
    World::eventually("the unloading", || world.backend.running.load(Ordering::SeqCst) == 0).await;
    assert_eq!(world.fleet.state(space.id).unwrap().stage, Stage::Running);
    let entry = world.fleet.wake(space.id).await.unwrap();
    assert_eq!(entry.generation, generation, "what was cached is still good");
}

#[tokio::test]
async fn an_idle_space_that_is_being_replaced_has_no_timer() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("hello"))).await;
    world.reaches(&space, Stage::Running).await;
    assert!(world.fleet.shared().timers.has(space.id));
    world.backend.launch_gate.forget_permits(usize::MAX);
    world.push(&space, &files(&app("new"))).await;
    world.reaches(&space, Stage::RunningAppStarting).await;
    assert!(!world.fleet.shared().timers.has(space.id));
    world.backend.launch_gate.add_permits(1);
    world.reaches(&space, Stage::Running).await;
    assert!(world.fleet.shared().timers.has(space.id));
}

#[tokio::test]
async fn what_sleeps_keeps_its_address_while_a_release_of_another_kind_cannot_start() {
    let world = World::new().await;
    let space = world.create("hello", &files(&page("page"))).await;
    world.reaches(&space, Stage::Running).await;
    world.push(&space, &files(&app("unstartable"))).await;
    world.reaches(&space, Stage::RuntimeError).await;
    world.clock.advance(5 * 60 * 1000);
    World::eventually("the unloading", || world.backend.running.load(Ordering::SeqCst) == 0).await;
    assert_eq!(world.get("ada-hello.static.localhost").await, Err("asleep".into()));
    assert_eq!(world.slot("ada-hello.static.localhost").entry.load().sdk, Sdk::Static);

    world.fleet.shutdown(Duration::ZERO).await;
    let next = world.start_again().await;
    assert_eq!(next.get("ada-hello.static.localhost").await, Err("asleep".into()));
    next.fleet.wake(space.id).await.unwrap();
    assert_eq!(next.get("ada-hello.static.localhost").await, Ok("page".into()));
}

#[tokio::test]
async fn sleeping_spaces_cost_no_task() {
    let world = World::new().await;
    for number in 0..20 {
        let space = world.create(&format!("s{number}"), &files(&page("page"))).await;
        world.reaches(&space, Stage::Running).await;
    }
    World::eventually("quiet", || world.fleet.shared().tasks_under_way() == 0).await;
}
