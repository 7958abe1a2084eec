//! Back to a release there is, without a build and without a request that fails.

use std::sync::atomic::{AtomicBool, Ordering};

use spaceport_core::lifecycle::Release;
use spaceport_core::space::Sdk;
use spaceport_core::stage::Stage;

use super::{HELLO, app, files, page};
use crate::fleet::FleetError;
use crate::testing::World;

#[tokio::test(flavor = "multi_thread")]
async fn going_back_fails_no_request_and_lasts() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("one"))).await;
    let first = world.reaches(&space, Stage::Running).await.state.served_release().unwrap();
    let head = world.push(&space, &[("app.wasm", "two")]).await;
    world.serves(&space, head).await;
    // From here on a build would wait for ever.
    world.backend.build_gate.forget_permits(usize::MAX);

    let is_over = AtomicBool::new(false);
    let visit = async {
        let mut answers = Vec::new();
        while !is_over.load(Ordering::SeqCst) {
            answers.push(world.get(HELLO).await.expect("no request fails"));
            tokio::task::yield_now().await;
        }
        answers
    };
    let go_back = async {
        world.fleet.roll_back(space.id, 1).await.unwrap();
        world.serves(&space, first.revision).await;
        is_over.store(true, Ordering::SeqCst);
    };
    let (answers, ()) = tokio::join!(visit, go_back);
    assert!(answers.iter().all(|answer| answer == "one" || answer == "two"), "{answers:?}");
    assert_eq!(world.get(HELLO).await, Ok("one".into()));
    let state = world.fleet.state(space.id).unwrap().state;
    assert_eq!((state.served_release(), state.known_head()), (Some(first), Some(head)));

    world.fleet.shutdown(std::time::Duration::ZERO).await;
    let again = world.start_again().await;
    again.reaches(&space, Stage::Running).await;
    assert_eq!(again.get(HELLO).await, Ok("one".into()));
    again.fleet.pushed(space.id, head).await.unwrap();
    assert_eq!(again.fleet.state(space.id).unwrap().stage, Stage::Running, "what was set aside is not built again");
    let newer = again.push(&space, &[("app.wasm", "three")]).await;
    again.serves(&space, newer).await;
    assert_eq!(again.get(HELLO).await, Ok("three".into()));
}

#[tokio::test]
async fn a_release_of_another_kind_answers_at_its_own_host_again() {
    let world = World::new().await;
    let space = world.create("hello", &files(&page("a page"))).await;
    world.reaches(&space, Stage::Running).await;
    let head = world.push(&space, &files(&app("an app"))).await;
    world.serves(&space, head).await;
    world.fleet.roll_back(space.id, 1).await.unwrap();
    World::eventually("the page again", || {
        world.fleet.state(space.id).unwrap().state.served_release().map(|release| release.number) == Some(1)
    })
    .await;
    assert_eq!(world.get("ada-hello.static.localhost").await, Ok("a page".into()));
    assert!(world.routes.slot(HELLO).is_none());
    assert_eq!(world.fleet.state(space.id).unwrap().manifest.unwrap().sdk, Sdk::Static);
    world.fleet.shutdown(std::time::Duration::ZERO).await;
    let again = world.start_again().await;
    assert_eq!(again.fleet.state(space.id).unwrap().manifest.unwrap().sdk, Sdk::Static, "as it was built");
}

#[tokio::test]
async fn a_release_that_fails_again_or_is_gone_changes_nothing() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("unstartable"))).await;
    world.reaches(&space, Stage::RuntimeError).await;
    let head = world.push(&space, &[("app.wasm", "good")]).await;
    world.serves(&space, head).await;
    world.fleet.roll_back(space.id, 1).await.unwrap();
    let view = world.reaches(&space, Stage::RuntimeError).await;
    assert_eq!(view.state.error_message(), Some("it is unstartable"));
    assert_eq!(world.get(HELLO).await, Ok("good".into()));
    world.fleet.roll_back(space.id, 2).await.unwrap();
    let state = world.reaches(&space, Stage::Running).await.state;
    assert_eq!(state.release, Some(Release { number: 2, revision: head }));
    for number in [0, 3, u64::MAX] {
        let refused = world.fleet.roll_back(space.id, number).await;
        assert!(matches!(refused, Err(FleetError::NoSuchRelease(missing)) if missing == number), "{refused:?}");
    }
    assert_eq!(world.fleet.state(space.id).unwrap().state, state);
}

#[tokio::test]
async fn a_factory_restart_builds_what_was_set_aside() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("one"))).await;
    world.reaches(&space, Stage::Running).await;
    let head = world.push(&space, &[("app.wasm", "two")]).await;
    world.serves(&space, head).await;
    world.fleet.roll_back(space.id, 1).await.unwrap();
    World::eventually("the first release", || {
        world.fleet.state(space.id).unwrap().state.served_release().map(|release| release.number) == Some(1)
    })
    .await;
    world.fleet.restart(space.id, true).await.unwrap();
    world.serves(&space, head).await;
    let state = world.fleet.state(space.id).unwrap().state;
    assert_eq!((state.served_release().unwrap().number, state.set_aside), (3, None));
}
