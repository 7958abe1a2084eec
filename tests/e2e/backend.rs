//! Backend plugins: kept running whatever they do, and nothing else is the worse for one that is down.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use spaceport_tests::{FakePlugin, Files, TestHost, wait};

/// How long a plugin may take to get up: an interpreter has to start on a machine busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);
const UP: &str = "spaceport_backend_up{backend=\"fake\"}";
const RESTARTS: &str = "spaceport_backend_restarts_total{backend=\"fake\"}";

#[track_caller]
fn is(host: &TestHost, up: f64) {
    let reached = wait::until(PATIENCE, || (host.metric(UP) == up).then_some(()));
    assert!(reached.is_some(), "it is not {up}");
}

fn docker() -> Files {
    Files::default().with("README.md", "---\nsdk: docker\n---\n").with("Dockerfile", "FROM scratch\n")
}

#[test]
fn a_backend_plugin_is_kept_running_and_ends_with_the_host() {
    let plugin = FakePlugin::new();
    let mut host = TestHost::start_with(&plugin.config("fake"));
    let space = host.run_guest("hello", "hello", "");
    is(&host, 1.0);
    let restarts = host.metric(RESTARTS);
    let killed = plugin.pid().unwrap();
    kill_process(Pid::from_raw(killed).unwrap(), Signal::KILL).unwrap();
    let again = wait::until(PATIENCE, || plugin.pid().filter(|pid| *pid != killed));
    assert!(again.is_some(), "it was not started again");
    is(&host, 1.0);
    assert!(host.metric(RESTARTS) > restarts);

    plugin.turn("garbage");
    is(&host, 0.0);
    assert_eq!(space.get("/").status, 200, "other Spaces do not notice");
    plugin.turn("good");
    is(&host, 1.0);

    assert_eq!(host.stop(), 0);
    assert_eq!(plugin.pid(), None, "a host that has stopped leaves none behind");
    host.boot();
    is(&host, 1.0);
    host.kill();
    let ended = wait::until(PATIENCE, || plugin.pid().is_none().then_some(()));
    assert!(ended.is_some(), "it has outlived a host that was killed");
}

#[test]
fn a_space_whose_backend_is_down_says_which_and_why() {
    let plugin = FakePlugin::new();
    plugin.turn("unready");
    let host = TestHost::start_with(&plugin.config("fake"));
    let reason = "\"reason\":\"its engine is away\"";
    assert!(wait::until(PATIENCE, || host.log().contains(reason).then_some(())).is_some(), "{}", host.log());
    let space = host.push("boxed", docker());
    let runtime = space.reaches("RUNTIME_ERROR");
    assert_eq!(runtime["errorMessage"], "the container backend fake is not answering: its engine is away");
    assert_eq!((host.metric(UP), host.metric(RESTARTS)), (0.0, 0.0));
}

#[test]
fn a_backend_that_is_switched_off_is_none() {
    let plugin = FakePlugin::new();
    let host = TestHost::start_with(&format!("{}enabled = false\n", plugin.config("fake")));
    let space = host.push("boxed", docker());
    let runtime = space.reaches("RUNTIME_ERROR");
    assert_eq!(runtime["errorMessage"], "no container backend on this host");
    assert_eq!(plugin.pid(), None);
    assert!(!host.data().join("backends").exists());
}
