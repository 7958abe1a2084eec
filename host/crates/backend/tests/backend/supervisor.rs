//! A plugin is kept running, whatever it does: down with a reason in words, started again, and the host unharmed.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use spaceport_backend::{State, Supervisor};

use crate::fake::{Place, ask, down, eventually, processes, reaches, up};

fn only_process(place: &Place) -> Pid {
    let found = processes(&place.socket());
    assert_eq!(found.len(), 1, "{found:?}");
    Pid::from_raw(found[0]).unwrap()
}

/// What only the operator is told.
fn detail(supervisor: &Supervisor) -> String {
    match &*supervisor.watch().borrow() {
        State::Down { detail: Some(detail), .. } => detail.clone(),
        state => panic!("{state:?}"),
    }
}

#[tokio::test]
async fn a_good_plugin_is_up_and_can_be_called_until_it_is_stopped() {
    let place = Place::new("good");
    let supervisor = place.start();
    let mut state = supervisor.watch();
    let backend = reaches(&mut state, up).await;
    assert_eq!(backend.description.sdks.len(), 2);
    assert_eq!(backend.client.list().await.unwrap().instances.len(), 2);
    let status = supervisor.status();
    assert_eq!((status.name.as_str(), status.problem, status.restarts), ("fake", None, 0));
    supervisor.stop().await;
    assert!(matches!(*state.borrow(), State::Stopped));
    assert!(processes(&place.socket()).is_empty());
}

#[tokio::test]
async fn a_plugin_is_asked_again_when_there_is_other_hardware() {
    let place = Place::new("good");
    let supervisor = place.start();
    let mut state = supervisor.watch();
    reaches(&mut state, up).await;
    let before = only_process(&place);
    let mut rows = ask();
    rows.hardware.truncate(1);
    rows.hardware[0].name = "cpu-new".parse().unwrap();
    supervisor.ask(rows.clone());
    let offers_it = |state: &State| {
        let names: Vec<String> = up(state)?.description.flavors.iter().map(|row| row.name.to_string()).collect();
        (names == ["cpu-new"]).then_some(())
    };
    reaches(&mut state, offers_it).await;
    assert_eq!((only_process(&place), supervisor.status().restarts), (before, 0), "it has run on");
    supervisor.stop().await;
}

#[tokio::test]
async fn a_plugin_that_dies_is_down_at_once_and_comes_back() {
    let place = Place::new("good");
    let supervisor = place.start();
    let mut state = supervisor.watch();
    for signal in [Signal::KILL, Signal::TERM] {
        reaches(&mut state, up).await;
        let killed = only_process(&place);
        kill_process(killed, signal).unwrap();
        let reason = reaches(&mut state, down("it was ended by signal")).await;
        assert!(reason.ends_with(&signal.as_raw().to_string()), "{reason}");
        reaches(&mut state, up).await;
        assert_ne!(only_process(&place), killed);
    }
    assert_eq!(supervisor.status().restarts, 2);
    supervisor.stop().await;
}

#[tokio::test]
async fn a_plugin_that_is_frozen_is_down_and_replaced() {
    let place = Place::new("good");
    let supervisor = place.start();
    let mut state = supervisor.watch();
    reaches(&mut state, up).await;
    let frozen = only_process(&place);
    kill_process(frozen, Signal::STOP).unwrap();
    reaches(&mut state, down("it did not answer health within 2s")).await;
    reaches(&mut state, up).await;
    assert_ne!(only_process(&place), frozen);
    supervisor.stop().await;
}

#[tokio::test]
async fn every_way_of_going_bad_is_down_with_a_reason_and_heals() {
    let place = Place::new("good");
    let supervisor = place.start();
    let mut state = supervisor.watch();
    for (mode, part) in [
        ("garbage", "its answer to health is broken"),
        ("close", "its answer to health is broken"),
        ("half", "its answer to health is broken"),
        ("endless", "its answer to health is longer than"),
        ("announced-oversize", "its answer to health is longer than"),
        ("not-json", "its answer to health is nonsense: the answer on its health is not JSON"),
        ("foreign-call", "its answer to health is one to another call"),
        ("drip", "it did not answer health within 2s"),
        ("hang", "it did not answer health within 2s"),
        ("refuse", "it refuses health: not today"),
        ("exit", "it ended with status 7"),
    ] {
        reaches(&mut state, up).await;
        place.turn(mode);
        let reason = reaches(&mut state, down("")).await;
        assert!(reason.starts_with(part) && !reason.contains('\n'), "{mode}: {reason}");
        place.turn("good");
    }
    reaches(&mut state, up).await;
    assert!(supervisor.status().restarts >= 11);
    supervisor.stop().await;
}

#[tokio::test]
async fn a_plugin_that_never_gets_up_is_down_with_a_reason() {
    let modes = [
        ("die", "it ended with status 3"),
        ("version-2", "it is of another time: it speaks version 2, this host 1"),
        (
            "foreign-flavor",
            "its answer to describe is nonsense: the description cannot be right: it says nothing of flavor",
        ),
        ("hang", "it did not answer protocol within"),
    ];
    for (mode, part) in modes {
        let place = Place::new(mode);
        let supervisor = place.start();
        reaches(&mut supervisor.watch(), down(part)).await;
        assert!(supervisor.status().problem.is_some());
        supervisor.stop().await;
        assert!(processes(&place.socket()).is_empty());
    }
}

#[tokio::test]
async fn the_last_words_of_a_plugin_are_for_the_operator() {
    let place = Place::new("die");
    let mut config = place.config();
    config.timings.backoff.first = Duration::from_secs(3600);
    config.timings.backoff.longest = Duration::from_secs(3600);
    let supervisor = Supervisor::start(config);
    reaches(&mut supervisor.watch(), down("it ended with status 3")).await;
    assert_eq!(detail(&supervisor), "no engine here");
    assert_eq!(supervisor.status().problem.unwrap(), "it ended with status 3");
    supervisor.stop().await;
}

#[tokio::test]
async fn a_plugin_that_does_not_listen_is_given_up() {
    let place = Place::new("mute");
    let mut config = place.config();
    config.timings.start = Duration::from_millis(200);
    let supervisor = Supervisor::start(config);
    let mut state = supervisor.watch();
    reaches(&mut state, down("it did not listen on its socket within 200ms")).await;
    place.turn("good");
    reaches(&mut state, up).await;
    supervisor.stop().await;
}

#[tokio::test]
async fn a_command_that_cannot_be_started_says_which() {
    let place = Place::new("good");
    let mut config = place.config();
    config.command[0] = place.path().join("nothing").to_str().unwrap().to_owned();
    let supervisor = Supervisor::start(config);
    let reason = reaches(&mut supervisor.watch(), down("")).await;
    assert!(reason.starts_with("its program cannot be started: No such file"), "{reason}");
    assert!(detail(&supervisor).contains("/nothing"));
    supervisor.stop().await;
}

#[tokio::test]
async fn a_socket_with_too_long_a_path_says_so() {
    let place = Place::new("good");
    let mut config = place.config();
    config.socket = place.path().join("x".repeat(120));
    let supervisor = Supervisor::start(config);
    reaches(&mut supervisor.watch(), down("the system takes 107")).await;
    supervisor.stop().await;
}

#[tokio::test]
async fn an_unready_plugin_is_down_without_being_restarted() {
    let place = Place::new("unready");
    let supervisor = place.start();
    let mut state = supervisor.watch();
    reaches(&mut state, down("the container engine does not answer")).await;
    let process = only_process(&place);
    place.turn("good");
    reaches(&mut state, up).await;
    place.turn("unready");
    reaches(&mut state, down("the container engine does not answer")).await;
    place.turn("good");
    reaches(&mut state, up).await;
    assert_eq!((only_process(&place), supervisor.status().restarts), (process, 0));
    supervisor.stop().await;
}

#[tokio::test]
async fn a_plugin_that_floods_its_log_is_served_on() {
    let place = Place::new("flood");
    let supervisor = place.start();
    let mut state = supervisor.watch();
    let backend = reaches(&mut state, up).await;
    for _ in 0..20 {
        backend.client.health().await.unwrap();
    }
    assert_eq!(supervisor.status().restarts, 0);
    supervisor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_interrupts_a_start_and_a_pause() {
    for mode in ["mute", "hang", "die"] {
        let place = Place::new(mode);
        let mut config = place.config();
        config.timings.backoff.first = Duration::from_secs(3600);
        config.timings.backoff.longest = Duration::from_secs(3600);
        config.timings.call = Duration::from_secs(3600);
        let supervisor = Supervisor::start(config);
        match mode {
            "die" => drop(reaches(&mut supervisor.watch(), down("status 3")).await),
            _ => eventually("it runs", || (processes(&place.socket()).len() == 1).then_some(())),
        }
        supervisor.stop().await;
        assert!(processes(&place.socket()).is_empty(), "{mode}");
    }
}
