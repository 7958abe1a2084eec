//! The transitions. One function per kind of event; each returns the whole next state.

use super::{
    Blame, Build, BuildFailure, Command, Desired, Event, FIRST_RETRY, HOST_RETRY, InstanceId, MAX_ATTEMPTS, Millis,
    Next, PROVEN_AFTER, Release, Serving, State,
};
use crate::id::BuildId;
use crate::revision::Oid;

/// The next state and what to do. An event that no longer matters (a build that was superseded, an instance that is
/// gone) changes nothing.
pub fn decide(state: State, event: Event, now: Millis) -> (State, Vec<Command>) {
    if state.desired == Desired::Deleted {
        return deleted(state, &event);
    }
    match event {
        Event::Pushed { build, revision } => pushed(state, build, revision),
        Event::BuildEnded { build, outcome } => build_ended(state, build, outcome),
        Event::Started { instance } => started(state, instance, now),
        Event::StartFailed { instance, message, blame } => start_failed(state, instance, message, blame, now),
        Event::Crashed { instance, message } => crashed(state, instance, message, now),
        Event::GaveWay { instance } => gave_way(state, instance),
        Event::Visited => visited(state),
        Event::IdleElapsed { instance } => idle_elapsed(state, instance),
        Event::RetryDue => retry_due(state, now),
        Event::RolledBack { release } => rolled_back(state, release),
        Event::PauseRequested => stop_all(State { desired: Desired::Paused, ..state }),
        Event::RestartRequested { factory, build, head } => restart(state, factory, build, head),
        Event::SettingsChanged => settings_changed(state),
        Event::DeleteRequested => delete(state),
        Event::Booted { build, head } => booted(state, build, head),
    }
}

/// A deleted Space only cleans up after what was under way. A removal that was interrupted is asked for again.
fn deleted(state: State, event: &Event) -> (State, Vec<Command>) {
    let commands = match event {
        Event::Started { instance } => vec![Command::Stop { instance: *instance }],
        Event::Booted { .. } | Event::DeleteRequested => vec![Command::RemoveData],
        _ => Vec::new(),
    };
    (state, commands)
}

/// While paused a push is only noted, by the repository itself: restarting compares its head with what was built.
fn pushed(state: State, build: BuildId, revision: Oid) -> (State, Vec<Command>) {
    if state.desired == Desired::Paused || state.known_head() == Some(revision) {
        return (state, Vec::new());
    }
    start_build(state, build, revision, false)
}

fn start_build(state: State, build: BuildId, revision: Oid, clean: bool) -> (State, Vec<Command>) {
    let mut commands = cancel_build(&state.build);
    commands.push(Command::StartBuild { build, revision, clean });
    (State { build: Build::Running { id: build, revision }, ..state }, commands)
}

fn cancel_build(build: &Build) -> Vec<Command> {
    match build {
        Build::Running { id, .. } => vec![Command::CancelBuild { build: *id }],
        Build::None | Build::Failed { .. } => Vec::new(),
    }
}

fn build_ended(state: State, build: BuildId, outcome: Result<Release, BuildFailure>) -> (State, Vec<Command>) {
    let Build::Running { id, revision } = state.build else { return (state, Vec::new()) };
    if id != build {
        return (state, Vec::new());
    }
    match outcome {
        Err(failure) => (State { build: Build::Failed { revision, failure }, ..state }, Vec::new()),
        Ok(release) => {
            let state = State { build: Build::None, release: Some(release), set_aside: None, ..state };
            launch_newest(state, release)
        }
    }
}

/// Launches a release with a probe, beside what serves if something does, in place of what else was starting.
fn launch_newest(mut state: State, release: Release) -> (State, Vec<Command>) {
    let instance = take_instance(&mut state);
    state.trouble = None;
    let mut commands = Vec::new();
    let starting = |fallback| Serving::Starting { instance, release, failures: 0, fallback };
    state.serving = match state.serving {
        Serving::Live { instance: live, release: old, since, failures, next } => {
            commands.extend(next.map(|next| Command::Stop { instance: next.instance }));
            Serving::Live { instance: live, release: old, since, failures, next: Some(Next { instance, release }) }
        }
        Serving::Starting { instance: superseded, fallback, .. } => {
            commands.push(Command::Stop { instance: superseded });
            starting(fallback)
        }
        Serving::Asleep { release: old } => starting(Some(old)),
        Serving::Nothing | Serving::Failed { .. } => starting(None),
    };
    commands.push(Command::Launch { instance, release, probe: true });
    (state, commands)
}

fn take_instance(state: &mut State) -> InstanceId {
    let instance = InstanceId(state.next_instance);
    state.next_instance += 1;
    instance
}

fn started(mut state: State, started: InstanceId, now: Millis) -> (State, Vec<Command>) {
    match state.serving {
        Serving::Starting { instance, release, failures, .. } if instance == started => {
            state.serving = Serving::Live { instance, release, since: now, failures, next: None };
            (state, Vec::new())
        }
        Serving::Live { instance: old, next: Some(Next { instance, release }), .. } if instance == started => {
            state.serving = Serving::Live { instance, release, since: now, failures: 0, next: None };
            (state, vec![Command::Stop { instance: old }])
        }
        Serving::Live { instance, .. } if instance == started => (state, Vec::new()),
        // Nobody waits for it any more.
        _ => (state, vec![Command::Stop { instance: started }]),
    }
}

fn start_failed(
    mut state: State,
    failed: InstanceId,
    message: String,
    blame: Blame,
    now: Millis,
) -> (State, Vec<Command>) {
    match state.serving {
        Serving::Starting { instance, release, failures, fallback } if instance == failed => match fallback {
            Some(fallback) if fallback != release => {
                state.serving = Serving::Asleep { release: fallback };
                state.trouble = Some(message);
                (state, Vec::new())
            }
            _ => fail(state, release, failures + 1, message, blame, now),
        },
        Serving::Live { instance, release, since, failures, next: Some(next) } if next.instance == failed => {
            state.serving = Serving::Live { instance, release, since, failures, next: None };
            state.trouble = Some(message);
            (state, Vec::new())
        }
        _ => (state, Vec::new()),
    }
}

fn crashed(state: State, crashed: InstanceId, message: String, now: Millis) -> (State, Vec<Command>) {
    let stop = Command::Stop { instance: crashed };
    match state.serving {
        Serving::Live { instance, release, since, failures, next } if instance == crashed => {
            if let Some(next) = next {
                return (State { serving: succeeded_by(next, release), ..state }, vec![stop]);
            }
            let failures = if now.saturating_sub(since) >= PROVEN_AFTER { 1 } else { failures + 1 };
            with_first(stop, fail(state, release, failures, message, Blame::App, now))
        }
        // It died before it answered its probe.
        Serving::Starting { instance, .. } if instance == crashed => {
            with_first(stop, start_failed(state, crashed, message, Blame::App, now))
        }
        Serving::Live { next: Some(next), .. } if next.instance == crashed => {
            with_first(stop, start_failed(state, crashed, message, Blame::App, now))
        }
        _ => (state, Vec::new()),
    }
}

/// What served is gone, and its successor is already on the way.
fn succeeded_by(next: Next, served: Release) -> Serving {
    Serving::Starting { instance: next.instance, release: next.release, failures: 0, fallback: Some(served) }
}

fn gave_way(state: State, waiting: InstanceId) -> (State, Vec<Command>) {
    match state.serving {
        Serving::Live { instance, release, next: Some(next), .. } if next.instance == waiting => {
            (State { serving: succeeded_by(next, release), ..state }, vec![Command::Stop { instance }])
        }
        _ => (state, Vec::new()),
    }
}

fn with_first(first: Command, (state, mut commands): (State, Vec<Command>)) -> (State, Vec<Command>) {
    commands.insert(0, first);
    (state, commands)
}

/// A start that failed, for the `failures`th time in a row. Failures of the host alone never end the trying.
fn fail(
    state: State,
    release: Release,
    failures: u32,
    message: String,
    blame: Blame,
    now: Millis,
) -> (State, Vec<Command>) {
    let pause = match failures {
        0..MAX_ATTEMPTS => Some(FIRST_RETRY << failures.saturating_sub(1)),
        _ if blame == Blame::Host => Some(HOST_RETRY),
        _ => None,
    };
    let retry_at = pause.map(|pause| now + pause);
    let failures = if blame == Blame::Host { failures.min(MAX_ATTEMPTS - 1) } else { failures };
    let commands = retry_at.map(Command::RetryAt).into_iter().collect();
    (State { serving: Serving::Failed { release, message, failures, retry_at }, ..state }, commands)
}

fn visited(state: State) -> (State, Vec<Command>) {
    match (state.desired, &state.serving) {
        (Desired::Run, Serving::Asleep { release }) => {
            let release = *release;
            wake(state, release)
        }
        _ => (state, Vec::new()),
    }
}

/// Launches what served before; it need not prove itself again.
fn wake(mut state: State, release: Release) -> (State, Vec<Command>) {
    let instance = take_instance(&mut state);
    state.serving = Serving::Starting { instance, release, failures: 0, fallback: Some(release) };
    (state, vec![Command::Launch { instance, release, probe: false }])
}

fn idle_elapsed(state: State, idle: InstanceId) -> (State, Vec<Command>) {
    match state.serving {
        Serving::Live { instance, release, next: None, .. } if instance == idle => {
            (State { serving: Serving::Asleep { release }, ..state }, vec![Command::Stop { instance }])
        }
        _ => (state, Vec::new()),
    }
}

fn retry_due(mut state: State, now: Millis) -> (State, Vec<Command>) {
    match &state.serving {
        Serving::Failed { release, failures, retry_at: Some(at), .. } if *at <= now => {
            let (release, failures) = (*release, *failures);
            let instance = take_instance(&mut state);
            state.serving = Serving::Starting { instance, release, failures, fallback: None };
            (state, vec![Command::Launch { instance, release, probe: true }])
        }
        // The clock went back, or the timer was early.
        Serving::Failed { retry_at: Some(at), .. } => {
            let again = Command::RetryAt(*at);
            (state, vec![again])
        }
        _ => (state, Vec::new()),
    }
}

/// Stops and cancels whatever runs; what could serve stays known.
fn stop_all(mut state: State) -> (State, Vec<Command>) {
    let mut commands = cancel_build(&state.build);
    if let Build::Running { .. } = state.build {
        state.build = Build::None;
    }
    state.serving = match state.serving {
        Serving::Starting { instance, release, fallback, .. } => {
            commands.push(Command::Stop { instance });
            Serving::Asleep { release: fallback.unwrap_or(release) }
        }
        Serving::Live { instance, release, next, .. } => {
            commands.push(Command::Stop { instance });
            commands.extend(next.map(|next| Command::Stop { instance: next.instance }));
            Serving::Asleep { release }
        }
        Serving::Failed { release, .. } => Serving::Asleep { release },
        serving @ (Serving::Nothing | Serving::Asleep { .. }) => serving,
    };
    (state, commands)
}

/// The newest release is launched, and what was pushed but not built, or not successfully, is built. A factory restart
/// builds in any case, and leaves what answers alone until that is done.
fn restart(state: State, factory: bool, build: BuildId, head: Option<Oid>) -> (State, Vec<Command>) {
    let state = State { desired: Desired::Run, ..state };
    let must_build = factory || matches!(state.build, Build::Failed { .. }) || state.known_head() != head;
    let is_answering = matches!(state.serving, Serving::Live { .. } | Serving::Starting { .. });
    let (state, mut commands) = match state.release {
        Some(release) if !(factory && is_answering) => launch_newest(state, release),
        _ => (state, Vec::new()),
    };
    match head {
        Some(head) if must_build => {
            let (state, build_commands) = start_build(state, build, head, factory);
            commands.extend(build_commands);
            (state, commands)
        }
        _ => (state, commands),
    }
}

/// What runs is launched anew with the new settings. They may be what a release lacked that could not start.
fn settings_changed(state: State) -> (State, Vec<Command>) {
    let must_launch = match &state.serving {
        Serving::Live { .. } | Serving::Starting { .. } | Serving::Failed { .. } => true,
        Serving::Asleep { .. } => state.trouble.is_some(),
        Serving::Nothing => false,
    };
    match (state.desired, state.release) {
        (Desired::Run, Some(release)) if must_launch => launch_newest(state, release),
        _ => (state, Vec::new()),
    }
}

/// The release takes the place of what answers once it has answered its probe, as a new one does. The head that was dealt
/// with last stays dealt with.
fn rolled_back(mut state: State, release: Release) -> (State, Vec<Command>) {
    let mut commands = cancel_build(&state.build);
    state.set_aside = state.known_head().filter(|head| *head != release.revision);
    state.build = Build::None;
    state.release = Some(release);
    match &mut state.serving {
        serving if state.desired == Desired::Paused => {
            *serving = Serving::Asleep { release };
            state.trouble = None;
        }
        Serving::Asleep { release: old } if *old == release => state.trouble = None,
        Serving::Live { release: old, next, .. } if *old == release => {
            // The same release on its way has newer settings than the one that answers.
            let other = next.take_if(|next| next.release != release);
            commands.extend(other.map(|next| Command::Stop { instance: next.instance }));
            state.trouble = None;
        }
        _ => {
            let (state, launch) = launch_newest(state, release);
            commands.extend(launch);
            return (state, commands);
        }
    }
    (state, commands)
}

fn delete(state: State) -> (State, Vec<Command>) {
    let (state, mut commands) = stop_all(State { desired: Desired::Deleted, ..state });
    commands.push(Command::RemoveData);
    (state, commands)
}

/// Nothing runs. What answered or was starting is launched again, a build that was under way or never recorded is
/// started, a crash loop goes on where it was; what was given up is tried once more, since the host may have changed.
fn booted(state: State, build: BuildId, head: Option<Oid>) -> (State, Vec<Command>) {
    let was_building = matches!(state.build, Build::Running { .. });
    let serving_before = state.serving.clone();
    // Nothing runs, so what this would stop is already gone.
    let (mut state, _) = stop_all(state);
    if state.desired != Desired::Run {
        return (state, Vec::new());
    }
    let newest_is_untried = state.trouble.is_none();
    let (state, mut commands) = match (serving_before, state.release) {
        (Serving::Live { release, .. }, Some(newest)) if newest != release && newest_is_untried => {
            launch_newest(state, newest)
        }
        (Serving::Live { release, .. }, _) => wake(state, release),
        (Serving::Starting { release, fallback: Some(fallback), .. }, _) if release == fallback => wake(state, release),
        (Serving::Starting { release, fallback, .. }, _) => {
            state.serving = fallback.map_or(Serving::Nothing, |release| Serving::Asleep { release });
            launch_newest(state, release)
        }
        (Serving::Failed { release, failures, retry_at: None, .. }, _) => {
            let instance = take_instance(&mut state);
            state.serving = Serving::Starting { instance, release, failures, fallback: None };
            (state, vec![Command::Launch { instance, release, probe: true }])
        }
        (serving @ Serving::Failed { retry_at: Some(at), .. }, _) => {
            state.serving = serving;
            (state, vec![Command::RetryAt(at)])
        }
        (Serving::Asleep { .. } | Serving::Nothing, _) => (state, Vec::new()),
    };
    let lacked_host = state.build.failed_for_want_of_host().is_some();
    match head {
        Some(head) if was_building || lacked_host || state.known_head() != Some(head) => {
            let (state, build_commands) = start_build(state, build, head, false);
            commands.extend(build_commands);
            (state, commands)
        }
        _ => (state, commands),
    }
}
