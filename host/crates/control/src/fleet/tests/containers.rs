//! Spaces in containers, and web sites that a container builds.

use std::sync::atomic::Ordering;
use std::time::Duration;

use spaceport_core::lifecycle::Event;
use spaceport_core::space::{Space, Variable};
use spaceport_core::stage::Stage;

use super::{HELLO, lines};
use crate::fleet::WakeError;
use crate::logs::LogKind;
use crate::testing::{World, readme};

const SITE: &str = "ada-hello.static.localhost";

fn docker(text: &str) -> [(String, String); 2] {
    [("README.md".into(), readme("docker")), ("Dockerfile".into(), text.into())]
}

/// A web site that `command` makes of a text.
fn site(command: &str, text: &str) -> [(String, String); 2] {
    let readme = format!("---\nsdk: static\napp_build_command: {command}\napp_file: dist/index.html\n---\n");
    [("README.md".into(), readme), ("source.txt".into(), text.into())]
}

async fn world() -> World {
    let world = World::new().await;
    *world.backend.containers.lock() = Some(Vec::new());
    world
}

async fn with_secret(world: &World, name: &str) -> Space {
    let mut space = world.store(name).await;
    let variable = Variable { value: "public".into(), description: None, updated_at: 0 };
    space.variables.insert("MODEL".into(), variable);
    let sealed = world.keys.seal_secret(space.id, "TOKEN", "hunter2");
    let mut batch = world.db.batch();
    batch.update_space(&world.db, &space);
    batch.put(world.db.secrets(), &(space.id, "TOKEN".to_owned()), &sealed);
    world.db.commit(batch).await.unwrap();
    world.fleet.add(&space).await.unwrap();
    space
}

#[tokio::test]
async fn a_container_is_built_with_variables_and_secrets_and_the_log_shows_none_of_the_latter() {
    let world = world().await;
    let space = with_secret(&world, "hello").await;
    let head = world.push(&space, &super::files(&docker("moin"))).await;
    world.serves(&space, head).await;
    assert_eq!(world.get(HELLO).await, Ok("moin".into()));
    let given = world.backend.given.lock().clone();
    assert_eq!(given.0, [("MODEL".to_owned(), "public".to_owned())]);
    assert_eq!(given.1, [("TOKEN".to_owned(), "hunter2".to_owned())]);
    let log = lines(&world, &space, LogKind::Build).await;
    assert!(log.iter().any(|line| line == "the secret is ***"), "{log:?}");
    let env = world.backend.last().env;
    assert_eq!((env["MODEL"].as_str(), env["TOKEN"].as_str()), ("public", "hunter2"));
}

#[tokio::test]
async fn a_host_that_stops_lets_containers_run_on() {
    let world = world().await;
    let boxed = world.create("boxed", &super::files(&docker("moin"))).await;
    let app = world.create("app", &super::files(&super::app("hello"))).await;
    world.reaches(&boxed, Stage::Running).await;
    world.reaches(&app, Stage::Running).await;
    world.fleet.shutdown(Duration::from_secs(1)).await;
    assert_eq!(world.backend.left.load(Ordering::SeqCst), 1);
    assert_eq!(world.backend.running.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_built_site_is_served_from_the_commit_of_its_build() {
    let world = world().await;
    let space = world.store("hello").await;
    world.fleet.add(&space).await.unwrap();
    let first = world.push(&space, &super::files(&site("make", "one"))).await;
    let view = world.serves(&space, first).await;
    assert_eq!(view.state.served_revision(), Some(first), "the commit that was pushed");
    assert_eq!(world.get(SITE).await, Ok("make one".into()));
    let repo = world.repos.repo(space.id);
    let built = repo.head("refs/convert/build").await.unwrap().unwrap();
    assert_ne!(built, first);
    let paths: Vec<String> = repo.tree(built).await.unwrap().iter().map(|entry| entry.path.to_string()).collect();
    assert_eq!(paths, ["dist/index.html"]);
    assert_eq!(world.backend.last().files, 1);

    let second = world.push(&space, &super::files(&site("make", "two"))).await;
    world.serves(&space, second).await;
    assert_eq!(world.get(SITE).await, Ok("make two".into()));
    world.fleet.roll_back(space.id, 1).await.unwrap();
    world.serves(&space, first).await;
    assert_eq!(world.get(SITE).await, Ok("make one".into()), "the build before is still there");
}

#[tokio::test]
async fn a_command_that_leaves_no_page_is_told_so_and_the_last_site_goes_on() {
    let world = world().await;
    let space = world.create("hello", &super::files(&site("make", "one"))).await;
    world.reaches(&space, Stage::Running).await;
    world.push(&space, &super::files(&site("forget", "two"))).await;
    let view = world.reaches(&space, Stage::NoAppFile).await;
    let message = view.state.error_message().unwrap().to_owned();
    assert!(message.contains("has left no dist/index.html"), "{message}");
    assert_eq!(world.get(SITE).await, Ok("make one".into()));
}

#[tokio::test]
async fn without_a_builder_a_site_says_what_to_do_and_is_built_when_there_is_one() {
    let first = World::new().await;
    let space = first.create("hello", &super::files(&site("make", "one"))).await;
    let view = first.reaches(&space, Stage::BuildError).await;
    let message = view.state.error_message().unwrap().to_owned();
    assert!(message.contains("this host has no builder; commit the built files"), "{message}");
    first.fleet.shutdown(Duration::ZERO).await;
    let second = first.start_again().await;
    // Whether it was tried before this was said makes no difference to a restart.
    *second.backend.containers.lock() = Some(Vec::new());
    second.fleet.restart(space.id, false).await.unwrap();
    second.reaches(&space, Stage::Running).await;
    assert_eq!(second.get(SITE).await, Ok("make one".into()));
}

#[tokio::test]
async fn who_needs_what_another_has_waits_for_it_in_words() {
    let world = world().await;
    world.backend.gpus.store(1, Ordering::SeqCst);
    let mut first = world.create("first", &super::files(&docker("one"))).await;
    let mut second = world.create("second", &super::files(&docker("two"))).await;
    world.reaches(&first, Stage::Running).await;
    world.reaches(&second, Stage::Running).await;
    let on = |space: &mut Space| space.hardware = "t4-small".into();
    world.change(&mut first, on).await;
    world.until(&first, "its GPU", |view| view.hardware.as_deref() == Some("t4-small")).await;
    world.change(&mut second, on).await;
    let view = world.until(&second, "the wait", |view| view.waits_for.is_some()).await;
    assert_eq!((view.stage, view.error_message()), (Stage::RunningAppStarting, Some("no t4 is free")));
    assert_eq!(view.hardware.as_deref(), Some("cpu-basic"), "it serves as before meanwhile");

    // Without anything that serves, a visitor is told at once.
    world.fleet.send(second.id, Event::PauseRequested).await.unwrap();
    world.fleet.restart(second.id, false).await.unwrap();
    world.until(&second, "the wait", |view| view.waits_for.is_some()).await;
    assert_eq!(world.fleet.wake(second.id).await.err(), Some(WakeError::Waits("no t4 is free".into())));

    world.fleet.send(first.id, Event::PauseRequested).await.unwrap();
    let view = world.reaches(&second, Stage::Running).await;
    assert_eq!((view.hardware.as_deref(), view.error_message()), (Some("t4-small"), None));
}

#[tokio::test]
async fn a_space_with_the_only_gpu_gives_way_to_its_own_next_release() {
    let world = world().await;
    world.backend.gpus.store(1, Ordering::SeqCst);
    let mut space = world.create("hello", &super::files(&docker("one"))).await;
    world.reaches(&space, Stage::Running).await;
    world.change(&mut space, |space| space.hardware = "t4-small".into()).await;
    world.until(&space, "its GPU", |view| view.hardware.as_deref() == Some("t4-small")).await;
    let head = world.push(&space, &super::files(&docker("two"))).await;
    world.serves(&space, head).await;
    assert_eq!(world.get(HELLO).await, Ok("two".into()));
    // Other rows with the same GPU take its place, too.
    world.change(&mut space, |space| space.hardware = "t4-medium".into()).await;
    world.until(&space, "the other row", |view| view.hardware.as_deref() == Some("t4-medium")).await;
    assert_eq!(world.backend.running.load(Ordering::SeqCst), 1);
}
