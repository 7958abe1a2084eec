//! No plugin outlives its host, and two never work at once.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use spaceport_backend::Supervisor;

use crate::fake::{Place, eventually, processes, reaches, up};

/// Set for a child that is to be the host: the place of its plugin.
const HOST: &str = "SPACEPORT_BACKEND_TEST_HOST";

/// A command that ignores `SIGTERM`, as the program it becomes does.
fn stubborn(place: &Place) -> Vec<String> {
    let script = "trap '' TERM; exec \"$0\" \"$@\"";
    ["sh", "-c", script].map(str::to_owned).into_iter().chain(place.command()).collect()
}

#[tokio::test]
async fn a_plugin_that_ignores_sigterm_is_killed_after_the_grace() {
    let place = Place::new("deaf");
    let mut config = place.config();
    config.command = stubborn(&place);
    config.timings.stop_grace = Duration::from_millis(100);
    let supervisor = Supervisor::start(config);
    reaches(&mut supervisor.watch(), up).await;
    supervisor.stop().await;
    assert!(processes(&place.socket()).is_empty());
}

#[tokio::test]
async fn a_plugin_ends_when_its_supervisor_is_dropped() {
    let place = Place::new("good");
    let supervisor = place.start();
    reaches(&mut supervisor.watch(), up).await;
    let mut state = supervisor.watch();
    drop(supervisor);
    reaches(&mut state, |state| matches!(state, spaceport_backend::State::Stopped).then_some(())).await;
    assert!(processes(&place.socket()).is_empty());
}

#[test]
fn a_plugin_ends_with_the_runtime_however_that_ends() {
    let place = Place::new("deaf");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let supervisor = runtime.block_on(async {
        let supervisor = place.start();
        reaches(&mut supervisor.watch(), up).await;
        supervisor
    });
    runtime.shutdown_background();
    eventually("it is killed", || processes(&place.socket()).is_empty().then_some(()));
    drop(supervisor);
}

#[test]
fn a_plugin_whose_host_is_killed_notices_and_ends() {
    if let Some(dir) = std::env::var_os(HOST) {
        return be_a_host(&Place::of(dir.into()));
    }
    let place = Place::new("good");
    let mut host = Command::new(std::env::current_exe().unwrap());
    host.args(["--exact", "outliving::a_plugin_whose_host_is_killed_notices_and_ends", "--nocapture"]);
    let mut host = host.env(HOST, place.path()).spawn().unwrap();
    eventually("it is up", || place.path().join("up").exists().then_some(()));
    assert_eq!(processes(&place.socket()).len(), 1);
    host.kill().unwrap();
    host.wait().unwrap();
    eventually("it ends", || processes(&place.socket()).is_empty().then_some(()));
}

/// Has a plugin until it is killed.
fn be_a_host(place: &Place) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let supervisor = place.start();
        reaches(&mut supervisor.watch(), up).await;
        std::fs::write(place.path().join("up"), "").unwrap();
        std::future::pending::<()>().await;
    });
}

#[tokio::test]
async fn what_a_killed_host_left_behind_is_killed_before_the_next_start() {
    let place = Place::new("deaf");
    let command = stubborn(&place);
    let mut earlier = Command::new(&command[0]);
    earlier.args(&command[1..]).arg("--socket").arg(place.socket());
    earlier.env("SPACEPORT_BACKEND_SOCKET", place.socket()).stdin(Stdio::null()).process_group(0);
    let mut earlier = earlier.spawn().unwrap();
    eventually("it listens", || place.socket().exists().then_some(()));
    let left = processes(&place.socket());

    let supervisor = place.start();
    reaches(&mut supervisor.watch(), up).await;
    let now = processes(&place.socket());
    assert!(now.len() == 1 && !left.contains(&now[0]), "{left:?} {now:?}");
    assert!(!earlier.wait().unwrap().success());
    supervisor.stop().await;
}
