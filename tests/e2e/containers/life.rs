//! Containers through sleep, failure and the end of whoever looks after them: there is exactly one for each Space that runs.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use spaceport_tests::containers::docker;
use spaceport_tests::{ContainerHost, TestSpace, wait};

use super::app;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who answers for a Space: the name of its container.
#[track_caller]
fn who(space: &TestSpace<'_>) -> String {
    let answer = wait::until(PATIENCE, || Some(space.get("/")).filter(|answer| answer.status == 200));
    let answer = answer.unwrap_or_else(|| panic!("no answer: {}", space.runtime()));
    answer.json()["host"].as_str().unwrap().to_owned()
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn an_app_that_ends_says_how_and_its_log_outlives_it() {
    let Some(host) = ContainerHost::start() else { return };
    let broken = app("", "").with("app.py", "import sys\nprint('no key')\nsys.exit(42)\n");
    let space = host.push("broken", broken);
    let runtime = host.brings(&space, "RUNTIME_ERROR");
    assert_eq!(runtime["errorMessage"], "Exit code: 42. Reason: no key");
    space.logs("no key");
    assert_eq!(host.containers(), Vec::<String>::new());
}

#[test]
fn an_app_that_never_answers_is_given_the_time_that_its_readme_allows() {
    let Some(host) = ContainerHost::start() else { return };
    let silent = app("startup_duration_timeout: 3s\n", "").with("app.py", "import time\ntime.sleep(600)\n");
    let space = host.push("silent", silent);
    let runtime = host.brings(&space, "RUNTIME_ERROR");
    let reason = runtime["errorMessage"].as_str().unwrap();
    assert!(reason == "Launch timed out, workload was not healthy after 3 s", "{reason}");
    assert!(wait::until(PATIENCE, || host.containers().is_empty().then_some(())).is_some(), "it is stopped");
}

#[test]
fn a_space_sleeps_without_a_container_and_is_woken_without_a_build() {
    let Some(host) = ContainerHost::start_with("[lifecycle]\nsleep_after = \"8s\"\n", &[]) else { return };
    let space = host.push("sleeper", app("", ""));
    host.brings(&space, "RUNNING");
    let before = who(&space);
    let images = host.images();
    space.post("/pause", json!({}));
    assert!(wait::until(PATIENCE, || host.containers().is_empty().then_some(())).is_some(), "it is paused");
    space.post("/restart", json!({}));
    space.reaches("RUNNING");
    assert_ne!(who(&space), before);
    space.reaches("SLEEPING");
    assert!(wait::until(PATIENCE, || host.containers().is_empty().then_some(())).is_some(), "it sleeps");
    // Who looks at it sees a page that waits, a program waits for the answer itself.
    let page = space.send("GET", "/", &[("accept", "text/html")], &[]);
    assert!(page.status == 200 || page.status == 503, "{}", page.text());
    who(&space);
    assert_eq!(host.containers().len(), 1);
    assert_eq!(host.images(), images);
}

#[test]
fn whoever_is_killed_there_is_one_container() {
    let Some(mut host) = ContainerHost::start() else { return };
    let space = host.push("steady", app("", ""));
    host.brings(&space, "RUNNING");
    let first = who(&space);
    let all = host.containers();
    assert_eq!(all.len(), 1);

    let plugin = host.plugin().unwrap();
    kill(plugin);
    assert_eq!(who(&space), first, "it is reached without the plugin");
    let again = wait::until(PATIENCE, || host.plugin().filter(|pid| *pid != plugin));
    assert!(again.is_some(), "the plugin is started again");
    assert_eq!((who(&space), host.containers()), (first.clone(), all.clone()));

    host.kill();
    assert_eq!(host.containers(), all, "it outlives its host");
    host.boot_as_before();
    let space = TestSpace::named(&host, "steady", "");
    space.reaches("RUNNING");
    assert_eq!((who(&space), host.containers()), (first.clone(), all.clone()), "it is taken over");

    kill(host.plugin().unwrap());
    host.kill();
    host.boot_as_before();
    let space = TestSpace::named(&host, "steady", "");
    space.reaches("RUNNING");
    assert_eq!((who(&space), host.containers()), (first.clone(), all));

    // Its own end is noticed, and the next is one.
    docker(&["kill", &host.containers()[0]]);
    let other = wait::until(PATIENCE, || {
        let answer = space.get("/");
        let now = (answer.status == 200).then(|| answer.json()["host"].as_str().unwrap().to_owned())?;
        (now != first).then_some(now)
    });
    assert!(other.is_some(), "{}", space.runtime());
    assert_eq!(host.containers().len(), 1);

    space.delete();
    assert!(wait::until(PATIENCE, || host.containers().is_empty().then_some(())).is_some(), "it goes with its Space");
}

#[test]
fn data_outlives_restarts_and_goes_with_the_storage() {
    let Some(host) = ContainerHost::start() else { return };
    let space = host.push("keeper", app("", ""));
    host.brings(&space, "RUNNING");
    assert_eq!(space.get("/write?path=/data/x&text=y").status / 100, 5, "nothing is there to write to");
    space.post("/storage", json!({"tier": "small"}));
    let kept = wait::until(PATIENCE, || (space.get("/write?path=/data/notes&text=kept").status == 200).then_some(()));
    assert!(kept.is_some(), "{}", space.runtime());
    let before = who(&space);
    space.post("/restart", json!({}));
    let changed = wait::until(PATIENCE, || (who(&space) != before).then_some(()));
    assert!(changed.is_some());
    let text = space.get("/read?path=/data/notes").json()["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("kept"), "{text}");
}
