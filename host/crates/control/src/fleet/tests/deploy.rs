//! From a push to what answers.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use spaceport_core::id::AccountId;
use spaceport_core::lifecycle::{Release, Serving};
use spaceport_core::space::Sdk;
use spaceport_core::stage::Stage;
use spaceport_db::{BuiltRelease, PluginOff};

use super::{HELLO, app, files, lines, page};
use crate::logs::LogKind;
use crate::ports::BackendPlugin;
use crate::testing::{World, readme};

#[tokio::test]
async fn a_pushed_app_is_built_launched_and_answers() {
    let world = World::new().await;
    let space = world.store("hello").await;
    world.fleet.add(&space).await.unwrap();
    assert_eq!(world.fleet.state(space.id).unwrap().stage, Stage::NoAppFile);
    assert_eq!(world.get(HELLO).await, Err("NO_APP_FILE".into()));
    let head = world.push(&space, &files(&app("hello"))).await;
    assert_ne!(world.fleet.state(space.id).unwrap().stage, Stage::NoAppFile);
    let view = world.serves(&space, head).await;
    assert_eq!(view.manifest.unwrap().sdk, Sdk::Wasm);
    assert_eq!(world.get(HELLO).await, Ok("hello".into()));
    let release = world.db.newest_release(space.id).unwrap().unwrap();
    assert_eq!((release.release.number, release.release.revision), (1, head));
    let log = lines(&world, &space, LogKind::Build).await;
    assert!(log.iter().any(|line| line == "compiling") && log.last().unwrap().ends_with("Build finished"), "{log:?}");
    assert!(lines(&world, &space, LogKind::Run).await[0].contains("release 1"));
}

#[tokio::test]
async fn a_static_space_answers_at_its_own_host_and_knows_its_files() {
    let world = World::new().await;
    let space = world.create("hello", &files(&page("page"))).await;
    world.reaches(&space, Stage::Running).await;
    assert_eq!(world.get("ada-hello.static.localhost").await, Ok("page".into()));
    assert!(world.routes.slot(HELLO).is_none());
    let launched = world.backend.last();
    assert_eq!((launched.files, launched.env), (2, BTreeMap::new()));
    assert!(launched.page_variables.contains_key("SPACE_CREATOR_USER_ID"));

    let head = world.push(&space, &files(&app("now an app"))).await;
    world.serves(&space, head).await;
    assert_eq!(world.get(HELLO).await, Ok("now an app".into()));
    assert!(world.routes.slot("ada-hello.static.localhost").is_none());
}

#[tokio::test]
async fn a_space_of_a_plugins_kind_is_an_app_out_of_its_files() {
    let world = World::new().await;
    let mut space = world.create("hello", &[("README.md", &readme("slides")), ("deck.md", "deck")]).await;
    world.reaches(&space, Stage::Running).await;
    assert_eq!(world.get(HELLO).await, Ok("deck".into()));
    let sealed = world.keys.seal_secret(space.id, "TOKEN", "hidden");
    let mut batch = world.db.batch();
    batch.put(world.db.secrets(), &(space.id, "TOKEN".to_owned()), &sealed);
    world.db.commit(batch).await.unwrap();
    world.change(&mut space, |_| {}).await;
    World::eventually("a launch with the secret", || world.backend.last().env.contains_key("TOKEN")).await;
    let launched = world.backend.last();
    assert_eq!(launched.files, 2);
    assert_eq!(launched.env["SPACE_HOST"], format!("{HELLO}:7860"));
    assert!(launched.page_variables.contains_key("SPACE_CREATOR_USER_ID"));
    assert!(!launched.page_variables.contains_key("TOKEN"), "pages are told secrets in static Spaces only");
    world.clock.advance(3600 * 1000);
    world.reaches(&space, Stage::Sleeping).await;
}

#[tokio::test]
async fn without_its_plugin_a_space_says_so_and_with_it_serves_again() {
    let world = World::new().await;
    let space = world.create("hello", &[("README.md", &readme("slides")), ("deck.md", "deck")]).await;
    world.reaches(&space, Stage::Running).await;
    world.fleet.shutdown(Duration::ZERO).await;
    let without = world.start_again_without_plugins().await;
    let view = without.reaches(&space, Stage::RuntimeError).await;
    assert_eq!(view.state.error_message(), Some("no backend on this host for sdk: slides"));
    without.fleet.shutdown(Duration::ZERO).await;
    let with = world.start_again().await;
    with.fleet.restart(space.id, false).await.unwrap();
    with.reaches(&space, Stage::Running).await;
    assert_eq!(with.get(HELLO).await, Ok("deck".into()));
}

#[tokio::test]
async fn a_plugin_that_is_switched_off_starts_nothing_and_what_runs_goes_on() {
    let world = World::new().await;
    let space = world.create("hello", &[("README.md", &readme("slides")), ("deck.md", "deck")]).await;
    world.reaches(&space, Stage::Running).await;
    let off = PluginOff { by: AccountId::from_bytes([2; 12]), since: 1 };
    world.fleet.shared().switch("slides", Some(off), world.db.batch()).await.unwrap();
    assert_eq!(world.get(HELLO).await, Ok("deck".into()));
    assert!(!world.fleet.runs(Sdk::Plugin("slides".parse().unwrap())));
    world.fleet.shutdown(Duration::ZERO).await;

    let again = world.start_again().await;
    let view = again.reaches(&space, Stage::RuntimeError).await;
    let words = "the plugin slides is switched off by this host's administrators";
    assert_eq!(view.state.error_message(), Some(words), "also by the next host");
    again.push(&space, &[("deck.md", "another")]).await;
    let view = again.reaches(&space, Stage::RuntimeError).await;
    assert_eq!(view.state.error_message(), Some(words));
    again.fleet.shared().switch("slides", None, again.db.batch()).await.unwrap();
    again.push(&space, &[("deck.md", "third")]).await;
    again.reaches(&space, Stage::Running).await;
    assert_eq!(again.get(HELLO).await, Ok("third".into()));
}

#[tokio::test]
async fn each_bad_revision_has_its_stage_and_the_old_one_goes_on() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("good"))).await;
    let good = world.reaches(&space, Stage::Running).await.state.served_revision();
    for (change, stage, message) in [
        (("README.md", "no front matter"), Stage::ConfigError, "Missing configuration in README"),
        (
            ("README.md", "---\nsdk: wasm\napp_file: none.wasm\n---\n"),
            Stage::NoAppFile,
            "none.wasm is not in the repository",
        ),
        (("README.md", "---\nsdk: docker\n---\n"), Stage::RuntimeError, "no container backend on this host"),
        (("README.md", &readme("wasm")), Stage::Running, ""),
        (("app.wasm", "unbuildable"), Stage::BuildError, "it is unbuildable"),
    ] {
        world.push(&space, &[change]).await;
        let view = world.reaches(&space, stage).await;
        assert!(view.state.error_message().unwrap_or_default().contains(message), "{view:?}");
        assert_eq!(world.get(HELLO).await, Ok("good".into()), "{stage}");
        if stage != Stage::Running {
            assert_eq!(
                view.state.served_revision(),
                good.filter(|_| stage != Stage::BuildError).or(view.state.served_revision())
            );
        }
    }
}

#[tokio::test]
async fn a_space_whose_container_backend_is_down_says_why() {
    let world = World::new().await;
    let docker = BackendPlugin { name: "docker".into(), problem: Some("it is starting".into()), restarts: 2 };
    world.backend.beside.lock().push(docker.clone());
    assert_eq!(world.fleet.snapshot().backend_plugins, [docker]);
    let space = world.create("hello", &[("README.md", "---\nsdk: docker\n---\n")]).await;
    let view = world.reaches(&space, Stage::RuntimeError).await;
    let words = "the container backend docker is not answering: it is starting";
    assert_eq!(view.state.error_message(), Some(words));
}

#[tokio::test]
async fn a_revision_that_does_not_answer_its_probe_never_serves() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("good"))).await;
    world.reaches(&space, Stage::Running).await;
    for (text, why) in [("mute", "did not answer its first request"), ("unstartable", "it is unstartable")] {
        world.push(&space, &[("app.wasm", text)]).await;
        let view = world.reaches(&space, Stage::RuntimeError).await;
        assert!(view.state.error_message().unwrap().contains(why), "{view:?}");
        assert_eq!(world.get(HELLO).await, Ok("good".into()));
    }
    let head = world.push(&space, &[("app.wasm", "better")]).await;
    world.serves(&space, head).await;
    assert_eq!(world.get(HELLO).await, Ok("better".into()));
    World::eventually("the end of all but one instance", || world.backend.running.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn pushes_in_a_row_end_with_the_newest_and_static_spaces_do_not_wait_for_compilers() {
    let world = World::new().await;
    world.backend.build_gate.forget_permits(usize::MAX);
    let first = world.create("first", &files(&app("first"))).await;
    let second = world.create("second", &files(&app("old"))).await;
    World::eventually("a place in the queue", || world.fleet.state(second.id).unwrap().queue_position == Some(1)).await;
    let head = world.push(&second, &[("app.wasm", "new")]).await;
    let third = world.create("third", &files(&page("page"))).await;
    world.reaches(&third, Stage::Running).await;
    assert_eq!(world.fleet.state(first.id).unwrap().stage, Stage::Building);
    assert_eq!(world.fleet.snapshot().builds_running, 1);

    world.backend.build_gate.add_permits(2);
    world.reaches(&first, Stage::Running).await;
    world.serves(&second, head).await;
    assert_eq!(world.get("ada-second.localhost").await, Ok("new".into()));
    assert_eq!(world.db.releases().under(&second.id).unwrap().len(), 1);
}

#[tokio::test]
async fn old_releases_and_their_files_go() {
    let world = World::new().await;
    let space = world.create("hello", &files(&page("0"))).await;
    world.reaches(&space, Stage::Running).await;
    let old = BuiltRelease { artifact: "x".into(), ..world.db.newest_release(space.id).unwrap().unwrap() };
    let mut batch = world.db.batch();
    for number in 2..=100 {
        let release = Release { number, ..old.release };
        batch.put(world.db.releases(), &(space.id, number), &BuiltRelease { release, ..old.clone() });
    }
    world.db.commit(batch).await.unwrap();
    let head = world.push(&space, &[("index.html", "new")]).await;
    world.serves(&space, head).await;
    world.clock.advance(5 * 60 * 1000);
    world.fleet.wake(space.id).await.unwrap();
    let head = world.push(&space, &[("index.html", "newer")]).await;
    world.serves(&space, head).await;
    let numbers: Vec<u64> = world.db.releases().under(&space.id).unwrap().into_iter().map(|((_, n), _)| n).collect();
    assert_eq!((numbers.len(), numbers.last()), (100, Some(&102)));
    let folder = world.temp.path().join("checkouts").join(space.id.to_string());
    World::eventually("the removal of old checkouts", || std::fs::read_dir(&folder).unwrap().count() == 2).await;
}

#[tokio::test]
async fn the_release_that_a_start_falls_back_to_is_kept_whatever_its_age() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("one"))).await;
    world.reaches(&space, Stage::Running).await;
    world.clock.advance(2 * 3600 * 1000);
    world.reaches(&space, Stage::Sleeping).await;
    let first = world.db.newest_release(space.id).unwrap().unwrap();
    let mut batch = world.db.batch();
    for number in 2..=100 {
        let release = Release { number, ..first.release };
        batch.put(world.db.releases(), &(space.id, number), &BuiltRelease { release, ..first.clone() });
    }
    world.db.commit(batch).await.unwrap();
    let newest = || world.db.newest_release(space.id).unwrap().unwrap().release.number;
    world.backend.launch_gate.forget_permits(usize::MAX);
    for (number, text) in [(101, "two"), (102, "unstartable")] {
        world.push(&space, &[("app.wasm", text)]).await;
        World::eventually("the build", || newest() == number).await;
        assert_eq!(world.db.releases().get(&(space.id, 1)).unwrap(), Some(first.clone()), "after {number}");
    }
    world.backend.launch_gate.add_permits(usize::MAX >> 4);
    let asleep = Serving::Asleep { release: first.release };
    world.until(&space, "going back", |view| view.state.serving == asleep).await;
    world.fleet.wake(space.id).await.unwrap();
    assert_eq!(world.get(HELLO).await, Ok("one".into()));
}

#[tokio::test]
async fn what_a_start_could_fall_back_to_goes_once_it_has_succeeded() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("one"))).await;
    world.reaches(&space, Stage::Running).await;
    world.clock.advance(2 * 3600 * 1000);
    world.reaches(&space, Stage::Sleeping).await;
    let folder = world.temp.path().join("checkouts").join(space.id.to_string());
    let checkouts = || std::fs::read_dir(&folder).unwrap().count();
    world.backend.launch_gate.forget_permits(usize::MAX);
    World::eventually("the stop", || world.backend.running.load(Ordering::SeqCst) == 0).await;
    let head = world.push(&space, &[("app.wasm", "two")]).await;
    World::eventually("the launch", || world.backend.launches.load(Ordering::SeqCst) == 2).await;
    assert_eq!(checkouts(), 4, "two revisions, each with its list");
    world.backend.launch_gate.add_permits(1);
    world.serves(&space, head).await;
    World::eventually("the removal of the other", || checkouts() == 2).await;
}

#[tokio::test]
async fn a_build_that_hangs_is_stopped_and_says_so() {
    let world = World::with(|config| config.build_deadline = Duration::from_millis(300)).await;
    world.backend.build_gate.forget_permits(usize::MAX);
    let space = world.create("hello", &files(&app("hello"))).await;
    let view = world.reaches(&space, Stage::BuildError).await;
    assert!(view.state.error_message().unwrap().contains("took longer than 300ms"), "{view:?}");
    assert_eq!(world.fleet.snapshot().builds_running, 0);
    let log = lines(&world, &space, LogKind::Build).await;
    assert!(log.last().unwrap().contains("took longer than 300ms"), "{log:?}");
}

#[tokio::test]
async fn a_failure_is_in_the_log_when_the_stage_tells_of_it_and_a_new_build_shows_nothing_of_the_old() {
    let world = World::new().await;
    let space = world.create("hello", &files(&app("unbuildable"))).await;
    world.reaches(&space, Stage::BuildError).await;
    world.backend.build_gate.forget_permits(usize::MAX);
    for text in ["unbuildable", "unstartable", "unbuildable", "unstartable"] {
        world.push(&space, &[("app.wasm", text), ("round", &rand::random::<u64>().to_string())]).await;
        let log = world.fleet.logs(space.id, LogKind::Build).available().await;
        assert!(!log.iter().any(|line| line.text.contains("Build f")), "{log:?}");
        world.backend.build_gate.add_permits(1);
        let kind = if text == "unbuildable" {
            world.reaches(&space, Stage::BuildError).await;
            LogKind::Build
        } else {
            world.reaches(&space, Stage::RuntimeError).await;
            LogKind::Run
        };
        let log = lines(&world, &space, kind).await;
        assert!(log.last().unwrap().contains(text), "{log:?}");
    }
}
