//! What owners do to their Spaces.

use std::sync::atomic::Ordering;
use std::time::Duration;

use spaceport_core::lifecycle::{Event, InstanceId};
use spaceport_core::space::{SleepAfter, Variable};
use spaceport_core::stage::Stage;

use super::{HELLO, app, files};
use crate::fleet::{FleetError, WakeError};
use crate::logs::LogKind;
use crate::supervisor::member::Input;
use crate::testing::World;

#[tokio::test]
async fn visitors_cannot_wake_a_paused_space_and_its_owner_can() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("hello"))).await;
    world.reaches(&space, Stage::Running).await;
    world.fleet.send(space.id, Event::PauseRequested).await.unwrap();
    assert_eq!(world.fleet.state(space.id).unwrap().stage, Stage::Paused);
    assert_eq!(world.fleet.wake(space.id).await.err(), Some(WakeError::Paused));
    assert_eq!(world.get(HELLO).await, Err("PAUSED".into()));
    World::eventually("the stop", || world.backend.running.load(Ordering::SeqCst) == 0).await;
    world.fleet.restart(space.id, false).await.unwrap();
    world.reaches(&space, Stage::Running).await;
    assert_eq!(world.get(HELLO).await, Ok("hello".into()));
    assert_eq!(world.db.releases().under(&space.id).unwrap().len(), 1, "nothing was built");
    world.fleet.restart(space.id, true).await.unwrap();
    World::eventually("a build from scratch", || world.db.releases().under(&space.id).unwrap().len() == 2).await;
    world.reaches(&space, Stage::Running).await;
}

#[tokio::test]
async fn changed_variables_and_secrets_reach_the_app_and_only_the_app() {
    let world = World::new().await;
    let mut space = world.create("hello", &files(&app("hello"))).await;
    world.reaches(&space, Stage::Running).await;
    let before = world.slot(HELLO).entry.load().generation;
    let sealed = world.keys.seal_secret(space.id, "KEY", "canary-5678");
    let mut batch = world.db.batch();
    batch.put(world.db.secrets(), &(space.id, "KEY".to_owned()), &sealed);
    world.db.commit(batch).await.unwrap();
    let variable = Variable { value: "1".into(), description: None, updated_at: 0 };
    world.change(&mut space, |space| drop(space.variables.insert("NAME".into(), variable))).await;
    world.until(&space, "a relaunch", |view| view.state.live_instance() == Some(InstanceId(2))).await;
    let launched = world.backend.last();
    assert_eq!(launched.env["NAME"], "1");
    assert_eq!(launched.env["KEY"], "canary-5678");
    assert_eq!(launched.env["SPACE_HOST"], "ada-hello.localhost:7860");
    assert!(world.slot(HELLO).entry.load().generation > before);
    launched.log.write(b"my key is canary-5678\n");
    let mut reader = world.fleet.logs(space.id, LogKind::Run);
    loop {
        let lines = reader.next().await.unwrap();
        assert!(lines.iter().all(|line| !line.text.contains("canary")));
        if lines.iter().any(|line| line.text == "my key is ***") {
            break;
        }
    }
}

#[tokio::test]
async fn an_app_that_crashes_again_and_again_is_started_ever_later_and_then_left_alone() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("hello"))).await;
    world.reaches(&space, Stage::Running).await;
    let mut pause = 1000;
    for attempt in 2.. {
        (world.backend.last().on_crash)("it fell over".into());
        let view = world.reaches(&space, Stage::RuntimeError).await;
        let wake = world.fleet.wake(space.id).await.err().unwrap();
        let WakeError::Failed { retry_after, message, .. } = wake else { panic!("{wake:?}") };
        assert_eq!(message.as_deref(), Some("it fell over"));
        let Some(retry_after) = retry_after else {
            assert_eq!(attempt, 7, "{view:?}");
            break;
        };
        assert_eq!(retry_after, Duration::from_millis(pause));
        world.clock.advance(pause);
        world.until(&space, "a retry", |view| view.state.live_instance() == Some(InstanceId(attempt))).await;
        pause *= 2;
    }
    world.fleet.restart(space.id, false).await.unwrap();
    world.reaches(&space, Stage::Running).await;
}

#[tokio::test]
async fn what_looks_for_the_head_builds_the_one_there_is_then() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("old"))).await;
    world.reaches(&space, Stage::Running).await;
    let member = world.fleet.shared().member(space.id).unwrap();
    world.commit(&space, &[("app.wasm", "untold")]).await;
    let head = world.push(&space, &[("app.wasm", "told")]).await;
    member.ask(world.fleet.shared(), Input::CheckHead).await.unwrap();
    world.fleet.restart(space.id, false).await.unwrap();
    assert_eq!(world.fleet.state(space.id).unwrap().state.known_head(), Some(head));
    let head = world.commit(&space, &[("app.wasm", "untold again")]).await;
    member.ask(world.fleet.shared(), Input::CheckHead).await.unwrap();
    world.serves(&space, head).await;
}

#[tokio::test]
async fn the_hardware_is_that_of_what_runs_until_something_runs_on_the_other() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("hello"))).await;
    world.reaches(&space, Stage::Running).await;
    let hardware = || world.fleet.state(space.id).unwrap().hardware;
    assert_eq!(hardware().as_deref(), Some("cpu-basic"));
    world.backend.launch_gate.forget_permits(usize::MAX);
    let mut changed = space.clone();
    world.change(&mut changed, |space| space.hardware = "paid".into()).await;
    assert_eq!(hardware().as_deref(), Some("cpu-basic"));
    world.backend.launch_gate.add_permits(1);
    world.until(&space, "a relaunch", |view| view.state.live_instance() == Some(InstanceId(2))).await;
    assert_eq!(hardware().as_deref(), Some("paid"));
    world.fleet.send(space.id, Event::PauseRequested).await.unwrap();
    assert_eq!(world.fleet.state(space.id).unwrap().hardware, None);
}

#[tokio::test]
async fn storage_is_there_with_its_tier_and_gone_without() {
    let world = World::new().await;
    let mut space = world.create("hello", &files(&app("hello"))).await;
    world.reaches(&space, Stage::Running).await;
    assert_eq!(world.backend.last().data, None);
    world.change(&mut space, |space| space.storage = Some("small".into())).await;
    world.until(&space, "a relaunch", |view| view.state.live_instance() == Some(InstanceId(2))).await;
    let data = world.backend.last().data.unwrap();
    std::fs::write(data.join("entry"), "kept").unwrap();
    world.fleet.restart(space.id, false).await.unwrap();
    world.until(&space, "a relaunch", |view| view.state.live_instance() == Some(InstanceId(3))).await;
    assert!(data.join("entry").exists());
    world.change(&mut space, |space| space.storage = None).await;
    World::eventually("the removal", || !data.exists()).await;
    assert_eq!(world.backend.last().data, None);
}

#[tokio::test]
async fn a_deleted_space_leaves_nothing_and_its_name_is_free_at_once() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("hello"))).await;
    world.reaches(&space, Stage::Running).await;
    let tmp = world.backend.last().tmp;
    world.fleet.remove(space.id).await.unwrap();
    assert!(world.fleet.state(space.id).is_none() && world.routes.slot(HELLO).is_none());
    assert_eq!(world.fleet.wake(space.id).await.err(), Some(WakeError::Gone));
    assert!(matches!(world.fleet.remove(space.id).await, Err(FleetError::NoSuchSpace(_))));
    let again = world.create("hello", &files(&app("another"))).await;
    world.reaches(&again, Stage::Running).await;
    assert_eq!(world.get(HELLO).await, Ok("another".into()));
    World::eventually("the last mark", || world.db.lifecycles().get(&space.id).unwrap().is_none()).await;
    let id = space.id.to_string();
    for folder in ["checkouts", "tmp", "storage", "logs"] {
        assert!(!world.temp.path().join(folder).join(&id).exists(), "{folder}");
    }
    assert!(!tmp.exists());
    assert_eq!(world.repos.list().await.unwrap(), [again.id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_storm_of_everything_one_instance_of_the_newest_runs() {
    let world = World::new().await;
    let mut space = world.create("hello", &files(&app("0"))).await;
    for round in 0..60u64 {
        match rand::random_range(0..9) {
            0 | 1 => drop(world.push(&space, &[("app.wasm", &round.to_string())]).await),
            2 => world.fleet.send(space.id, Event::PauseRequested).await.unwrap(),
            3 => world.fleet.restart(space.id, round % 2 == 0).await.unwrap(),
            4 => world.clock.advance(3600 * 1000),
            5 => drop(world.fleet.wake(space.id).await),
            6 => {
                world
                    .change(&mut space, |space| space.sleep_after = SleepAfter::After(Duration::from_secs(round)))
                    .await
            }
            7 if world.backend.launches.load(Ordering::SeqCst) > 0 => {
                let instance = world.fleet.state(space.id).unwrap().state.live_instance();
                world.fleet.crashed(space.id, instance.unwrap_or(InstanceId(1)), "a test".into());
            }
            _ => drop(world.push(&space, &[("app.wasm", "unstartable")]).await),
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..20))).await;
    }
    let head = world.push(&space, &[("app.wasm", "last")]).await;
    world.fleet.restart(space.id, false).await.unwrap();
    world.serves(&space, head).await;
    World::eventually("one instance", || world.backend.running.load(Ordering::SeqCst) == 1).await;
    assert_eq!(world.get(HELLO).await, Ok("last".into()));
    let tmp = world.temp.path().join("tmp").join(space.id.to_string());
    World::eventually("one /tmp", || std::fs::read_dir(&tmp).unwrap().count() == 1).await;
    World::eventually("quiet", || world.fleet.shared().tasks_under_way() == 0).await;
    let stored = world.db.lifecycles().get(&space.id).unwrap().unwrap();
    assert_eq!(stored, world.fleet.state(space.id).unwrap().state);
}
