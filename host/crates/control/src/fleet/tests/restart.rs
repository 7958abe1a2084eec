//! The end of the host, orderly and not, and what the next one makes of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::{Desired, Event, State};
use spaceport_core::revision::Oid;
use spaceport_core::stage::Stage;

use super::{HELLO, app, files, lines};
use crate::fleet::FleetError;
use crate::logs::LogKind;
use crate::testing::{World, readme};

#[tokio::test]
async fn what_ran_runs_again_after_a_restart_of_the_host() {
    let first = World::new().await;
    let live = first.create("live", &files(&app("live"))).await;
    let asleep = first.create("asleep", &files(&app("asleep"))).await;
    let paused = first.create("paused", &files(&app("paused"))).await;
    let failed = first.create("failed", &files(&app("unbuildable"))).await;
    first.reaches(&asleep, Stage::Running).await;
    first.reaches(&paused, Stage::Running).await;
    first.clock.advance(3600 * 1000);
    first.reaches(&asleep, Stage::Sleeping).await;
    first.fleet.send(paused.id, Event::PauseRequested).await.unwrap();
    first.fleet.wake(live.id).await.unwrap();
    first.reaches(&failed, Stage::BuildError).await;
    first.fleet.shutdown(Duration::from_secs(1)).await;
    assert_eq!(first.backend.running.load(Ordering::SeqCst), 0);
    assert!(matches!(first.fleet.pushed(live.id, Oid::from_bytes([1; 20])).await, Err(FleetError::Stopping)));

    let second = first.start_again().await;
    second.reaches(&live, Stage::Running).await;
    assert_eq!(second.get("ada-live.localhost").await, Ok("live".into()));
    for (space, stage) in [(&asleep, Stage::Sleeping), (&paused, Stage::Paused), (&failed, Stage::BuildError)] {
        assert_eq!(second.fleet.state(space.id).unwrap().stage, stage);
    }
    second.fleet.wake(asleep.id).await.unwrap();
    assert_eq!(second.get("ada-asleep.localhost").await, Ok("asleep".into()));
    assert!(lines(&second, &live, LogKind::Build).await.len() > 2, "logs are kept");
    assert_eq!(second.backend.launches.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_build_cut_off_by_the_end_of_the_host_is_done_by_the_next() {
    let first = World::new().await;
    first.backend.build_gate.forget_permits(usize::MAX);
    let space = first.create("hello", &files(&app("hello"))).await;
    World::eventually("the compiler", || first.fleet.snapshot().builds_running == 1).await;
    assert_eq!(first.fleet.state(space.id).unwrap().stage, Stage::Building);
    first.fleet.shutdown(Duration::ZERO).await;
    let second = first.start_again().await;
    assert_eq!(second.fleet.state(space.id).unwrap().stage, Stage::Building, "from the first moment on");
    second.reaches(&space, Stage::Running).await;
}

#[tokio::test]
async fn a_commit_that_no_build_is_recorded_for_is_built_at_the_next_start() {
    let first = World::new().await;
    let space = first.create("hello", &files(&app("old"))).await;
    first.reaches(&space, Stage::Running).await;
    let unborn = first.store("unborn").await;
    first.commit(&unborn, &files(&app("born"))).await;
    let head = first.commit(&space, &[("app.wasm", "new")]).await;
    first.fleet.shutdown(Duration::ZERO).await;
    let second = first.start_again().await;
    second.serves(&space, head).await;
    second.reaches(&unborn, Stage::Running).await;
    assert_eq!(second.get("ada-unborn.localhost").await, Ok("born".into()));
}

#[tokio::test]
async fn a_build_that_failed_for_want_of_the_host_is_tried_again_by_the_next() {
    let first = World::new().await;
    let docker = first.create("docker", &[("README.md", &readme("docker")), ("Dockerfile", "FROM scratch")]).await;
    let broken = first.create("broken", &files(&app("without a host"))).await;
    first.reaches(&docker, Stage::RuntimeError).await;
    first.reaches(&broken, Stage::BuildError).await;
    first.fleet.shutdown(Duration::ZERO).await;
    let second = first.start_again().await;
    for space in [&docker, &broken] {
        assert_eq!(second.fleet.state(space.id).unwrap().stage, Stage::Building, "from the first moment on");
    }
    second.reaches(&docker, Stage::RuntimeError).await;
    second.reaches(&broken, Stage::BuildError).await;
}

#[tokio::test]
async fn a_deletion_cut_off_by_the_end_of_the_host_is_finished_by_the_next() {
    let first = World::new().await;
    let space = first.create("hello", &files(&app("hello"))).await;
    first.reaches(&space, Stage::Running).await;
    first.fleet.shutdown(Duration::ZERO).await;
    // As the supervisor leaves the database before it removes files.
    let mut batch = first.db.batch();
    batch.remove_space(&first.db, &space).unwrap();
    let deleted = State { desired: Desired::Deleted, ..State::default() };
    batch.put(first.db.lifecycles(), &space.id, &deleted);
    first.db.commit(batch).await.unwrap();

    let second = first.start_again().await;
    assert!(second.fleet.state(space.id).is_none());
    World::eventually("the last mark", || second.db.lifecycles().get(&space.id).unwrap().is_none()).await;
    assert_eq!(second.repos.list().await.unwrap(), []);
}

#[test]
fn a_fleet_that_is_killed_at_any_moment_comes_back() {
    for moment in 0..8 {
        let killed = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (world, space, head) = killed.block_on(async {
            let world = World::new().await;
            let space = world.create("hello", &files(&app("old"))).await;
            world.reaches(&space, Stage::Running).await;
            let head = world.push(&space, &[("app.wasm", "new")]).await;
            tokio::time::sleep(Duration::from_millis(moment * 5)).await;
            (world, space, head)
        });
        killed.shutdown_background();
        let next = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        next.block_on(async {
            let again = world.start_again().await;
            again.serves(&space, head).await;
            assert_eq!(again.get(HELLO).await, Ok("new".into()));
        });
    }
}

#[tokio::test]
async fn copies_and_logs_of_spaces_there_are_not_go_and_repositories_stay() {
    let first = World::new().await;
    first.create("other", &files(&app("other"))).await;
    let lost = SpaceId::from_bytes([9; 12]);
    first.repos.create(lost).await.unwrap();
    first.fleet.shutdown(Duration::ZERO).await;
    let folders = ["logs", "checkouts"].map(|folder| first.temp.path().join(folder).join(lost.to_string()));
    for folder in &folders {
        std::fs::create_dir_all(folder.join("deep")).unwrap();
    }
    let storage = first.temp.path().join("storage").join(lost.to_string());
    std::fs::create_dir_all(&storage).unwrap();
    let second = first.start_again().await;
    World::eventually("the removal", || folders.iter().all(|folder| !folder.exists())).await;
    assert!(storage.exists(), "user data is not removed on a suspicion");
    assert!(second.repos.list().await.unwrap().contains(&lost));
}

#[tokio::test]
async fn repositories_without_any_space_in_the_database_stop_the_start() {
    let world = World::new().await;
    let (lost, announced) = (SpaceId::from_bytes([9; 12]), SpaceId::from_bytes([8; 12]));
    world.fleet.announce(announced).await.unwrap();
    world.repos.create(announced).await.unwrap();
    let next = world.start_again().await;
    World::eventually("the removal", || world.db.lifecycles().get(&announced).unwrap().is_none()).await;
    assert_eq!(world.repos.list().await.unwrap(), [], "what was begun and not finished is cleaned up");

    next.fleet.shutdown(Duration::ZERO).await;
    world.repos.create(lost).await.unwrap();
    let refused = world.try_start_again().await.err().unwrap();
    assert!(matches!(refused, FleetError::NoSpaces(1)), "{refused}");
    assert_eq!(world.repos.list().await.unwrap(), [lost]);
}
