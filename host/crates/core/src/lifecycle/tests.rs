//! The transitions that matter by name, and a model that plays random histories.

mod model;

use super::*;

const NOW: Millis = 1_000_000;

fn oid(n: u8) -> Oid {
    Oid::from_bytes([n; 20])
}

fn build_id(n: u8) -> BuildId {
    BuildId::from_bytes([n; 12])
}

fn release(n: u8) -> Release {
    Release { number: u64::from(n), revision: oid(n) }
}

fn failure(kind: FailureKind) -> BuildFailure {
    BuildFailure { kind, message: "no".into() }
}

fn live(instance: u64, n: u8) -> State {
    let serving =
        Serving::Live { instance: InstanceId(instance), release: release(n), since: NOW, failures: 0, next: None };
    State { release: Some(release(n)), serving, next_instance: instance + 1, ..State::default() }
}

fn asleep(n: u8) -> State {
    State { release: Some(release(n)), serving: Serving::Asleep { release: release(n) }, ..State::default() }
}

/// Plays events one after the other; the last state and the last event's commands.
fn play(state: State, events: impl IntoIterator<Item = Event>) -> (State, Vec<Command>) {
    events.into_iter().fold((state, Vec::new()), |(state, _), event| decide(state, event, NOW))
}

fn pushed(n: u8) -> Event {
    Event::Pushed { build: build_id(n), revision: oid(n) }
}

fn built(n: u8) -> Event {
    Event::BuildEnded { build: build_id(n), outcome: Ok(release(n)) }
}

fn build_failed(n: u8, kind: FailureKind) -> Event {
    Event::BuildEnded { build: build_id(n), outcome: Err(failure(kind)) }
}

fn started(n: u64) -> Event {
    Event::Started { instance: InstanceId(n) }
}

fn start_failed(n: u64) -> Event {
    Event::StartFailed { instance: InstanceId(n), message: "no port".into(), blame: Blame::App }
}

fn host_failed(n: u64) -> Event {
    Event::StartFailed { instance: InstanceId(n), message: "no disk".into(), blame: Blame::Host }
}

fn crashed(n: u64) -> Event {
    Event::Crashed { instance: InstanceId(n), message: "trapped".into() }
}

fn restart(factory: bool, n: u8, head: Option<u8>) -> Event {
    Event::RestartRequested { factory, build: build_id(n), head: head.map(oid) }
}

fn booted(n: u8, head: Option<u8>) -> Event {
    Event::Booted { build: build_id(n), head: head.map(oid) }
}

fn launch(instance: u64, n: u8, probe: bool) -> Command {
    Command::Launch { instance: InstanceId(instance), release: release(n), probe }
}

fn stop(instance: u64) -> Command {
    Command::Stop { instance: InstanceId(instance) }
}

fn start_build(n: u8, revision: u8, clean: bool) -> Command {
    Command::StartBuild { build: build_id(n), revision: oid(revision), clean }
}

#[test]
fn a_first_push_is_built_launched_and_served() {
    let state = State::default();
    assert_eq!(state.stage(false), Stage::NoAppFile);
    let (state, commands) = play(state, [pushed(1)]);
    assert_eq!((state.stage(false), commands), (Stage::Building, vec![start_build(1, 1, false)]));
    let (state, commands) = play(state, [built(1)]);
    assert_eq!((state.stage(false), commands), (Stage::AppStarting, vec![launch(1, 1, true)]));
    let (state, commands) = play(state, [started(1)]);
    assert_eq!((state.stage(false), commands), (Stage::Running, vec![]));
    assert_eq!(state.served_revision(), Some(oid(1)));
}

#[test]
fn the_old_revision_serves_until_the_new_one_answers() {
    let (state, commands) = play(live(1, 1), [pushed(2)]);
    assert_eq!((state.stage(false), state.served_revision()), (Stage::RunningBuilding, Some(oid(1))));
    assert_eq!(commands, [start_build(2, 2, false)]);
    let (state, commands) = play(state, [built(2)]);
    assert_eq!((state.stage(false), state.served_revision()), (Stage::RunningAppStarting, Some(oid(1))));
    assert_eq!(commands, [launch(2, 2, true)]);
    let (state, commands) = play(state, [started(2)]);
    assert_eq!((state.stage(false), state.served_revision()), (Stage::Running, Some(oid(2))));
    assert_eq!(commands, [stop(1)]);
}

#[test]
fn each_kind_of_failed_build_has_its_stage_and_keeps_what_serves() {
    for (kind, stage) in [
        (FailureKind::NoAppFile, Stage::NoAppFile),
        (FailureKind::ConfigError, Stage::ConfigError),
        (FailureKind::BuildError, Stage::BuildError),
        (FailureKind::NoBackend, Stage::RuntimeError),
        (FailureKind::Host, Stage::BuildError),
    ] {
        let (state, commands) = play(live(1, 1), [pushed(2), build_failed(2, kind)]);
        assert_eq!((state.stage(false), state.error_message(), commands), (stage, Some("no"), vec![]));
        assert_eq!((state.served_revision(), state.live_instance()), (Some(oid(1)), Some(InstanceId(1))));
    }
}

#[test]
fn a_failed_start_keeps_what_serves_awake_or_asleep() {
    let (state, commands) = play(live(1, 1), [pushed(2), built(2), start_failed(2)]);
    assert_eq!((state.live_instance(), commands), (Some(InstanceId(1)), vec![]));
    assert_eq!((state.stage(false), state.error_message()), (Stage::RuntimeError, Some("no port")));

    let (state, commands) = play(asleep(1), [pushed(2), built(2), start_failed(1)]);
    assert_eq!((state.served_revision(), commands), (Some(oid(1)), vec![]));
    assert_eq!((state.stage(true), state.error_message()), (Stage::RuntimeError, Some("no port")));
    let (state, commands) = play(state, [Event::Visited]);
    assert_eq!(commands, [launch(2, 1, false)]);
    let (state, _) = play(state, [started(2)]);
    assert_eq!((state.served_revision(), state.stage(false)), (Some(oid(1)), Stage::RuntimeError));
}

#[test]
fn a_changed_setting_gives_a_release_that_could_not_start_another_chance() {
    let (state, _) = play(live(1, 1), [pushed(2), built(2), start_failed(2)]);
    let (_, commands) = play(state, [Event::SettingsChanged]);
    assert_eq!(commands, [launch(3, 2, true)]);
    let (state, _) = play(asleep(1), [pushed(2), built(2), start_failed(1)]);
    let (state, commands) = play(state, [Event::SettingsChanged]);
    assert_eq!(commands, [launch(2, 2, true)]);
    assert_eq!(state.served_revision(), Some(oid(1)));
    assert_eq!(play(asleep(1), [Event::SettingsChanged]).1, [], "a sleeper wakes with the new settings anyway");
}

#[test]
fn a_newer_push_supersedes_a_build_and_a_start() {
    let (state, commands) = play(live(1, 1), [pushed(2), pushed(3)]);
    assert_eq!(commands, [Command::CancelBuild { build: build_id(2) }, start_build(3, 3, false)]);
    assert_eq!(play(state.clone(), [built(2)]), (state.clone(), vec![]), "the old build's result is not wanted");
    let (state, _) = play(state, [built(3), pushed(4)]);
    let (state, commands) = play(state, [built(4)]);
    assert_eq!(commands, [stop(2), launch(3, 4, true)]);
    assert_eq!(play(state, [started(2)]).1, [stop(2)]);
}

#[test]
fn a_push_that_is_known_changes_nothing() {
    let (building, _) = play(live(1, 1), [pushed(2)]);
    let (failed, _) = play(building.clone(), [build_failed(2, FailureKind::BuildError)]);
    for (state, n) in [(live(1, 1), 1), (building, 2), (failed, 2)] {
        let again = Event::Pushed { build: build_id(9), revision: oid(n) };
        assert_eq!(play(state.clone(), [again]), (state, vec![]));
    }
}

#[test]
fn an_idle_space_sleeps_and_a_visit_wakes_it_once() {
    let idle = Event::IdleElapsed { instance: InstanceId(1) };
    let (state, commands) = play(live(1, 1), [idle.clone()]);
    assert_eq!(commands, [stop(1)]);
    assert_eq!((state.stage(false), state.stage(true)), (Stage::Sleeping, Stage::Running));
    let (state, commands) = play(state, [Event::Visited]);
    assert_eq!(commands, [launch(2, 1, false)]);
    assert_eq!((state.stage(false), state.stage(true)), (Stage::AppStarting, Stage::Running));
    assert_eq!(play(state.clone(), [Event::Visited]), (state.clone(), vec![]));
    assert_eq!(play(state, [started(2)]).0.stage(false), Stage::Running);

    let (state, _) = play(live(1, 1), [pushed(2), built(2)]);
    assert_eq!(play(state.clone(), [idle]), (state, vec![]), "what is being replaced does not sleep");
}

#[test]
fn a_crash_loop_backs_off_and_gives_up() {
    let mut state = live(1, 1);
    for failures in 1..MAX_ATTEMPTS {
        let instance = state.next_instance - 1;
        let (failed, commands) = play(state, [crashed(instance)]);
        let at = NOW + (FIRST_RETRY << (failures - 1));
        assert_eq!(commands, [stop(instance), Command::RetryAt(at)]);
        assert_eq!((failed.stage(false), failed.error_message()), (Stage::RuntimeError, Some("trapped")));
        assert_eq!(
            decide(failed.clone(), Event::RetryDue, at - 1).1,
            [Command::RetryAt(at)],
            "an early timer is set again"
        );
        let (starting, commands) = decide(failed, Event::RetryDue, at);
        assert_eq!(commands, [launch(instance + 1, 1, true)]);
        state = play(starting, [started(instance + 1)]).0;
    }
    let instance = state.next_instance - 1;
    let (state, commands) = play(state, [crashed(instance)]);
    assert_eq!(commands, [stop(instance)]);
    assert!(matches!(state.serving, Serving::Failed { retry_at: None, .. }));
    assert_eq!(play(state.clone(), [Event::Visited, Event::RetryDue]).1, []);
    for event in [restart(false, 9, Some(1)), Event::SettingsChanged] {
        let (state, commands) = play(state.clone(), [event]);
        assert_eq!(commands, [launch(instance + 1, 1, true)]);
        assert!(matches!(state.serving, Serving::Starting { failures: 0, .. }));
    }
}

#[test]
fn a_start_that_fails_through_the_host_is_tried_for_ever_with_pauses_up_to_a_cap() {
    let (mut state, _) = play(State::default(), [pushed(1), built(1)]);
    for (instance, pause) in [1_000, 2_000, 4_000, 8_000, 16_000, HOST_RETRY, HOST_RETRY].into_iter().enumerate() {
        let (failed, commands) = play(state, [host_failed(instance as u64 + 1)]);
        assert_eq!(commands, [Command::RetryAt(NOW + pause)], "{instance}");
        state = decide(failed, Event::RetryDue, NOW + pause).0;
    }
    let instance = state.next_instance - 1;
    let (state, commands) = play(state, [started(instance), crashed(instance)]);
    assert_eq!((state.stage(false), commands), (Stage::RuntimeError, vec![stop(instance)]));
}

#[test]
fn an_instance_that_lived_long_starts_counting_anew() {
    let Serving::Live { instance, release, since, next, .. } = live(1, 1).serving else { unreachable!() };
    let state = State { serving: Serving::Live { instance, release, since, failures: 5, next }, ..live(1, 1) };
    for (age, failures) in [(PROVEN_AFTER - 1, 6), (PROVEN_AFTER, 1)] {
        let (state, _) = decide(state.clone(), crashed(1), NOW + age);
        assert!(matches!(state.serving, Serving::Failed { failures: counted, .. } if counted == failures));
    }
}

#[test]
fn a_crash_while_the_successor_starts_leaves_it_to_the_successor() {
    let (state, commands) = play(live(1, 1), [pushed(2), built(2), crashed(1)]);
    assert_eq!(commands, [stop(1)]);
    assert_eq!(play(state.clone(), [started(2)]).0.served_revision(), Some(oid(2)));
    let (state, _) = play(state, [start_failed(2)]);
    assert_eq!(play(state, [Event::Visited]).1, [launch(3, 1, false)], "the old one is still there to be woken");
}

#[test]
fn pausing_stops_everything_and_visits_do_not_wake() {
    let (state, _) = play(live(1, 1), [pushed(2), built(2), pushed(3)]);
    let (state, commands) = play(state, [Event::PauseRequested]);
    assert_eq!(commands, [Command::CancelBuild { build: build_id(3) }, stop(1), stop(2)]);
    assert_eq!(state.stage(true), Stage::Paused);
    for event in
        [Event::Visited, Event::SettingsChanged, pushed(4), Event::RetryDue, Event::PauseRequested, booted(4, Some(4))]
    {
        assert_eq!(play(state.clone(), [event]), (state.clone(), vec![]));
    }
    let (state, commands) = play(state, [restart(false, 5, Some(4))]);
    assert_eq!(commands, [launch(3, 2, true), start_build(5, 4, false)], "what was pushed meanwhile is built");
    assert_eq!(state.stage(false), Stage::Building);
}

#[test]
fn resuming_what_was_built_builds_nothing() {
    let (state, _) = play(live(1, 1), [Event::PauseRequested]);
    let (state, commands) = play(state, [restart(false, 9, Some(1))]);
    assert_eq!((state.stage(false), commands), (Stage::AppStarting, vec![launch(2, 1, true)]));
}

#[test]
fn a_restart_wakes_or_replaces() {
    assert_eq!(play(asleep(1), [restart(false, 9, Some(1))]).1, [launch(1, 1, true)]);
    let (state, commands) = play(live(1, 1), [restart(false, 9, Some(1))]);
    assert_eq!((state.live_instance(), commands), (Some(InstanceId(1)), vec![launch(2, 1, true)]));
    let (state, _) = play(asleep(1), [pushed(2)]);
    let (state, commands) = play(state, [restart(false, 9, Some(2))]);
    assert_eq!(commands, [launch(1, 1, true)], "the build under way goes on");
    assert!(matches!(state.build, Build::Running { id, .. } if id == build_id(2)));
}

#[test]
fn a_restart_after_a_failed_build_builds_again() {
    let (state, _) = play(State::default(), [pushed(1), build_failed(1, FailureKind::BuildError)]);
    assert_eq!(play(state, [restart(false, 9, Some(1))]).1, [start_build(9, 1, false)]);
}

#[test]
fn a_restart_without_a_commit_does_nothing() {
    assert_eq!(play(State::default(), [restart(false, 9, None)]), (State::default(), vec![]));
    assert_eq!(play(State::default(), [restart(true, 9, None)]), (State::default(), vec![]));
}

#[test]
fn a_factory_restart_builds_clean_and_serves_meanwhile() {
    let (state, commands) = play(live(1, 1), [restart(true, 9, Some(1))]);
    assert_eq!(commands, [start_build(9, 1, true)]);
    assert_eq!(state.stage(false), Stage::RunningBuilding);
    let (_, commands) = play(asleep(1), [restart(true, 9, Some(1))]);
    assert_eq!(commands, [launch(1, 1, true), start_build(9, 1, true)]);
    let (state, _) = play(live(1, 1), [pushed(2)]);
    let (_, commands) = play(state, [restart(true, 9, Some(2))]);
    assert_eq!(commands, [Command::CancelBuild { build: build_id(2) }, start_build(9, 2, true)]);
}

#[test]
fn deleting_works_in_every_state() {
    let (both, _) = play(live(1, 1), [pushed(2), built(2), pushed(3)]);
    let (failed, _) = play(live(1, 1), [crashed(1)]);
    let (starting, _) = play(asleep(1), [Event::Visited]);
    let (paused, _) = play(live(1, 1), [Event::PauseRequested]);
    for (state, mut expected) in [
        (State::default(), vec![]),
        (asleep(1), vec![]),
        (paused, vec![]),
        (failed, vec![]),
        (live(1, 1), vec![stop(1)]),
        (starting, vec![stop(1)]),
        (both, vec![Command::CancelBuild { build: build_id(3) }, stop(1), stop(2)]),
    ] {
        expected.push(Command::RemoveData);
        let (state, commands) = play(state, [Event::DeleteRequested]);
        assert_eq!((state.stage(true), commands), (Stage::Deleting, expected));
        for event in [pushed(9), restart(true, 9, Some(9)), Event::Visited, Event::SettingsChanged, built(3)] {
            assert_eq!(play(state.clone(), [event]), (state.clone(), vec![]));
        }
        assert_eq!(play(state.clone(), [started(2)]).1, [stop(2)]);
        assert_eq!(play(state, [booted(9, Some(9))]).1, [Command::RemoveData]);
    }
}

#[test]
fn a_restarted_host_takes_up_where_it_was() {
    let (building, _) = play(live(1, 1), [pushed(2)]);
    let (replacing, _) = play(live(1, 1), [pushed(2), built(2)]);
    let (troubled, _) = play(replacing.clone(), [start_failed(2)]);
    let (starting_new, _) = play(asleep(1), [pushed(2), built(2)]);
    let (waking, _) = play(asleep(1), [Event::Visited]);
    let (crash_loop, _) = play(live(1, 1), [crashed(1)]);
    let (given_up, _) = play(live(1, 1), [crashed(1)]);
    let given_up = match given_up.serving.clone() {
        Serving::Failed { release, message, .. } => {
            State { serving: Serving::Failed { release, message, failures: MAX_ATTEMPTS, retry_at: None }, ..given_up }
        }
        _ => unreachable!(),
    };
    let (no_host, _) = play(State::default(), [pushed(1), build_failed(1, FailureKind::Host)]);
    let (no_backend, _) = play(State::default(), [pushed(1), build_failed(1, FailureKind::NoBackend)]);
    let (bad_build, _) = play(State::default(), [pushed(1), build_failed(1, FailureKind::BuildError)]);
    for (state, head, expected) in [
        (State::default(), None, vec![]),
        (State::default(), Some(1), vec![start_build(9, 1, false)]),
        (asleep(1), Some(1), vec![]),
        (live(1, 1), Some(1), vec![launch(2, 1, false)]),
        (live(1, 1), Some(2), vec![launch(2, 1, false), start_build(9, 2, false)]),
        (building, Some(2), vec![launch(2, 1, false), start_build(9, 2, false)]),
        (replacing, Some(2), vec![launch(3, 2, true)]),
        (troubled, Some(2), vec![launch(3, 1, false)]),
        (starting_new, Some(2), vec![launch(2, 2, true)]),
        (waking, Some(1), vec![launch(2, 1, false)]),
        (crash_loop, Some(1), vec![Command::RetryAt(NOW + FIRST_RETRY)]),
        (given_up, Some(1), vec![launch(2, 1, true)]),
        (no_backend, Some(1), vec![start_build(9, 1, false)]),
        (no_host, Some(1), vec![start_build(9, 1, false)]),
        (bad_build, Some(1), vec![]),
    ] {
        let (_, commands) = play(state.clone(), [booted(9, head)]);
        assert_eq!(commands, expected, "{state:?}");
    }
}

#[test]
fn a_static_space_reads_as_running_while_it_sleeps_and_wakes() {
    let (new_version, _) = play(asleep(1), [pushed(2), built(2)]);
    assert_eq!(new_version.stage(true), Stage::RunningAppStarting);
    assert_eq!(new_version.served_revision(), Some(oid(1)));
    let (building, _) = play(asleep(1), [pushed(2)]);
    assert_eq!((building.stage(true), building.stage(false)), (Stage::RunningBuilding, Stage::Building));
}

fn rolled_back(n: u8) -> Event {
    Event::RolledBack { release: release(n) }
}

#[test]
fn going_back_swaps_as_a_new_release_does_and_the_head_stays_dealt_with() {
    let (state, commands) = play(live(1, 2), [rolled_back(1)]);
    assert_eq!(commands, [launch(2, 1, true)]);
    assert_eq!((state.live_instance(), state.stage(false)), (Some(InstanceId(1)), Stage::RunningAppStarting));
    let (state, commands) = play(state, [started(2)]);
    assert_eq!((commands, state.served_release()), (vec![stop(1)], Some(release(1))));
    assert_eq!((state.known_head(), state.set_aside), (Some(oid(2)), Some(oid(2))));
    for event in [pushed(2), booted(9, Some(2)), restart(false, 9, Some(2))] {
        let (state, commands) = play(state.clone(), [event.clone()]);
        assert!(
            !commands.iter().any(|command| matches!(command, Command::StartBuild { .. })),
            "{event:?}: {commands:?}"
        );
        assert_eq!(state.release, Some(release(1)), "{event:?}");
    }
    let (state, _) = play(state, [pushed(3), built(3), started(3)]);
    assert_eq!((state.served_release(), state.set_aside, state.known_head()), (Some(release(3)), None, Some(oid(3))));
}

#[test]
fn going_back_ends_what_was_being_built_and_forgets_what_failed() {
    let (state, commands) = play(live(1, 2), [pushed(3), rolled_back(1)]);
    assert_eq!(commands, [Command::CancelBuild { build: build_id(3) }, launch(2, 1, true)]);
    assert_eq!((state.build, state.set_aside), (Build::None, Some(oid(3))));
    let (state, commands) = play(live(1, 2), [pushed(3), build_failed(3, FailureKind::BuildError), rolled_back(2)]);
    assert_eq!((commands, state.stage(false)), (vec![], Stage::Running));
    assert_eq!(state.known_head(), Some(oid(3)));
    let (state, commands) = play(live(1, 2), [rolled_back(1), rolled_back(2)]);
    assert_eq!((commands, state.served_release(), state.set_aside), (vec![stop(2)], Some(release(2)), None));
}

#[test]
fn going_back_to_what_serves_keeps_its_new_settings_on_their_way() {
    let (state, commands) = play(live(1, 2), [Event::SettingsChanged, rolled_back(2)]);
    assert!(!commands.contains(&stop(2)), "a secret that was replaced must not serve on: {commands:?}");
    let (state, commands) = play(state, [started(2)]);
    assert_eq!((commands, state.served_release()), (vec![stop(1)], Some(release(2))));
}

#[test]
fn a_release_that_does_not_start_again_leaves_what_serves() {
    let (state, commands) = play(live(1, 2), [rolled_back(1), start_failed(2)]);
    assert_eq!((commands, state.served_release()), (vec![], Some(release(2))));
    assert_eq!((state.stage(false), state.error_message()), (Stage::RuntimeError, Some("no port")));
    let (state, _) = play(state, [rolled_back(2)]);
    assert_eq!((state.stage(false), state.release), (Stage::Running, Some(release(2))));
}

#[test]
fn going_back_while_nothing_runs() {
    let (state, commands) = play(asleep(2), [Event::PauseRequested, rolled_back(1)]);
    assert_eq!((commands, state.stage(false), state.served_release()), (vec![], Stage::Paused, Some(release(1))));
    let (_, commands) = play(state, [restart(false, 9, Some(2))]);
    assert_eq!(commands, [launch(1, 1, true)]);
    let (state, commands) = play(asleep(2), [rolled_back(1)]);
    assert_eq!((commands, state.served_release()), (vec![launch(1, 1, true)], Some(release(2))));
}

#[test]
fn what_serves_makes_room_for_its_successor_and_is_there_again_if_that_fails() {
    let (state, _) = play(live(1, 1), [pushed(2), built(2)]);
    let gave_way = Event::GaveWay { instance: InstanceId(2) };
    let (state, commands) = decide(state, gave_way.clone(), NOW);
    assert_eq!(commands, [Command::Stop { instance: InstanceId(1) }]);
    assert_eq!(state.stage(false), Stage::AppStarting);
    assert_eq!(decide(state.clone(), gave_way.clone(), NOW), (state.clone(), vec![]), "once is enough");
    let (up, _) = decide(state.clone(), started(2), NOW);
    assert_eq!(up.live_instance(), Some(InstanceId(2)));
    let (down, _) = decide(state, start_failed(2), NOW);
    assert_eq!(down.serving, Serving::Asleep { release: release(1) });
    assert_eq!(decide(live(1, 1), gave_way, NOW).1, [], "nothing waits");
}
