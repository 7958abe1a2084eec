//! Random histories, played against a world that does what the commands say.
//!
//! The world knows nothing of the rules: it holds the instances and builds that run. After every event it must hold
//! exactly what the state says, and from any history a restart must lead to the newest revision being served.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::*;

/// Something happens to the Space. Numbers choose among what exists.
#[derive(Debug, Clone)]
enum Step {
    Push,
    PushAgain,
    BuildSucceeds,
    BuildFails(FailureKind),
    InstanceStarts(usize),
    StartFails(usize),
    Crashes(usize),
    GivesWay(usize),
    Idle(usize),
    Visit,
    Settings,
    Pause,
    RollBack(usize),
    Restart {
        factory: bool,
    },
    Delete,
    Reboot,
    TimePasses(Millis),
    /// Results of what was stopped or cancelled long ago.
    StaleInstance(u64),
    StaleBuild,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Live,
}

#[derive(Default)]
struct World {
    state: State,
    now: Millis,
    head: Option<Oid>,
    instances: BTreeMap<u64, (Phase, Release)>,
    builds: BTreeMap<BuildId, Oid>,
    timer: Option<Millis>,
    is_removed: bool,
    releases: Vec<Release>,
    next_build: u64,
    next_release: u64,
    next_revision: u32,
}

impl World {
    fn build_id(&mut self) -> BuildId {
        self.next_build += 1;
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.next_build.to_be_bytes());
        BuildId::from_bytes(bytes)
    }

    fn instance(&self, phase: Phase, choice: usize) -> Option<InstanceId> {
        let found: Vec<u64> = self.instances.iter().filter(|(_, (p, _))| *p == phase).map(|(id, _)| *id).collect();
        (!found.is_empty()).then(|| InstanceId(found[choice % found.len()]))
    }

    fn play(&mut self, step: &Step) {
        let Some(event) = self.event(step) else { return };
        self.handle(event);
        while let Some(at) = self.timer.filter(|at| *at <= self.now) {
            self.timer = None;
            assert!(at <= self.now);
            self.handle(Event::RetryDue);
        }
    }

    /// The event of a step; `None` if nothing there can have it happen.
    fn event(&mut self, step: &Step) -> Option<Event> {
        let message = || "no".to_owned();
        Some(match step {
            Step::Push => {
                self.next_revision += 1;
                let mut bytes = [0; 20];
                bytes[..4].copy_from_slice(&self.next_revision.to_be_bytes());
                let revision = Oid::from_bytes(bytes);
                self.head = Some(revision);
                Event::Pushed { build: self.build_id(), revision }
            }
            Step::PushAgain => Event::Pushed { revision: self.head?, build: self.build_id() },
            Step::BuildSucceeds => {
                let (build, revision) = self.builds.pop_first()?;
                self.next_release += 1;
                let release = Release { number: self.next_release, revision };
                self.releases.push(release);
                Event::BuildEnded { build, outcome: Ok(release) }
            }
            Step::BuildFails(kind) => {
                let (build, _) = self.builds.pop_first()?;
                Event::BuildEnded { build, outcome: Err(BuildFailure { kind: *kind, message: message() }) }
            }
            Step::InstanceStarts(choice) => {
                let instance = self.instance(Phase::Starting, *choice)?;
                self.instances.get_mut(&instance.0)?.0 = Phase::Live;
                Event::Started { instance }
            }
            Step::StartFails(choice) => {
                let instance = self.instance(Phase::Starting, *choice)?;
                self.instances.remove(&instance.0);
                let blame = if choice % 3 == 0 { Blame::Host } else { Blame::App };
                Event::StartFailed { instance, message: message(), blame }
            }
            Step::Crashes(choice) => {
                let instance = self.instance(Phase::Live, *choice)?;
                Event::Crashed { instance, message: message() }
            }
            Step::GivesWay(choice) => Event::GaveWay { instance: self.instance(Phase::Starting, *choice)? },
            Step::Idle(choice) => Event::IdleElapsed { instance: self.instance(Phase::Live, *choice)? },
            Step::Visit => Event::Visited,
            Step::Settings => Event::SettingsChanged,
            Step::Pause => Event::PauseRequested,
            Step::RollBack(choice) => {
                let count = self.releases.len();
                Event::RolledBack { release: *self.releases.get(choice.checked_rem(count)?)? }
            }
            Step::Restart { factory } => {
                Event::RestartRequested { factory: *factory, build: self.build_id(), head: self.head }
            }
            Step::Delete => Event::DeleteRequested,
            Step::Reboot => {
                self.instances.clear();
                self.builds.clear();
                self.timer = None;
                Event::Booted { build: self.build_id(), head: self.head }
            }
            Step::TimePasses(time) => {
                self.now += time;
                return None;
            }
            Step::StaleInstance(id) => {
                let instance = InstanceId(id % self.state.next_instance);
                if self.instances.contains_key(&instance.0) {
                    return None;
                }
                Event::Crashed { instance, message: message() }
            }
            Step::StaleBuild => {
                let build = BuildId::from_bytes([0xff; 12]);
                let outcome = Err(BuildFailure { kind: FailureKind::BuildError, message: message() });
                Event::BuildEnded { build, outcome }
            }
        })
    }

    /// Decides, does what the commands say, and checks everything that must hold.
    fn handle(&mut self, event: Event) {
        let before = self.state.clone();
        let (state, commands) = decide(before.clone(), event.clone(), self.now);
        self.state = state;
        for command in &commands {
            self.execute(command);
        }
        self.check(&before, &event, &commands);
    }

    fn execute(&mut self, command: &Command) {
        match command {
            Command::StartBuild { build, revision, .. } => {
                assert!(self.builds.insert(*build, *revision).is_none(), "a build is started twice");
            }
            Command::CancelBuild { build } => {
                self.builds.remove(build);
            }
            Command::Launch { instance, release, .. } => {
                let old = self.instances.insert(instance.0, (Phase::Starting, *release));
                assert!(old.is_none(), "an instance is launched twice");
            }
            Command::Stop { instance } => {
                self.instances.remove(&instance.0);
            }
            Command::RetryAt(at) => self.timer = Some(*at),
            Command::RemoveData => self.is_removed = true,
        }
    }

    fn check(&self, before: &State, event: &Event, commands: &[Command]) {
        let mut expected = BTreeMap::new();
        match &self.state.serving {
            Serving::Starting { instance, release, .. } => {
                expected.insert(instance.0, (Phase::Starting, *release));
            }
            Serving::Live { instance, release, next, .. } => {
                expected.insert(instance.0, (Phase::Live, *release));
                if let Some(next) = next {
                    expected.insert(next.instance.0, (Phase::Starting, next.release));
                }
            }
            Serving::Nothing | Serving::Asleep { .. } | Serving::Failed { .. } => {}
        }
        assert_eq!(self.instances, expected, "what runs is what the state says, after {event:?}");
        let building: Vec<BuildId> = match self.state.build {
            Build::Running { id, .. } => vec![id],
            Build::None | Build::Failed { .. } => vec![],
        };
        assert_eq!(self.builds.keys().copied().collect::<Vec<_>>(), building, "after {event:?}");

        if self.state.desired != Desired::Run {
            assert!(self.instances.is_empty() && self.builds.is_empty(), "nothing runs after {event:?}");
        }
        if self.state.desired == Desired::Deleted {
            assert!(self.is_removed);
        }
        if let Serving::Failed { retry_at: Some(at), .. } = self.state.serving {
            assert_eq!(self.timer, Some(at), "a retry has a timer, after {event:?}");
        }
        self.check_what_served(before, event);
        self.check_stage();
        let stops = commands.iter().filter(|command| matches!(command, Command::Stop { .. })).count();
        assert!(stops <= 2, "{commands:?}");
        assert!(self.state.next_instance >= before.next_instance);
    }

    /// What served goes on serving unless it crashed itself, slept, made room for its successor, was replaced by one that answers, or the owner said so.
    fn check_what_served(&self, before: &State, event: &Event) {
        let may_go = matches!(
            event,
            Event::Crashed { .. }
                | Event::GaveWay { .. }
                | Event::IdleElapsed { .. }
                | Event::PauseRequested
                | Event::DeleteRequested
                | Event::Booted { .. }
        );
        if let Some(live) = before.live_instance()
            && !may_go
        {
            let is_replaced =
                matches!(event, Event::Started { instance } if self.state.live_instance() == Some(*instance));
            assert!(self.state.live_instance() == Some(live) || is_replaced, "{live:?} went at {event:?}");
        }
        let may_be_lost = matches!(event, Event::Crashed { .. } | Event::StartFailed { .. });
        if let Some(served) = before.served_revision()
            && self.state.served_revision().is_none()
        {
            let own_failure = may_be_lost
                && matches!(&self.state.serving, Serving::Failed { release, .. } if release.revision == served);
            assert!(own_failure, "{served} is lost at {event:?}");
        }
    }

    fn check_stage(&self) {
        for is_static in [false, true] {
            let stage = self.state.stage(is_static);
            let is_live = self.state.live_instance().is_some();
            let is_error = matches!(stage, Stage::ConfigError | Stage::BuildError | Stage::RuntimeError);
            match stage {
                Stage::Running | Stage::RunningBuilding | Stage::RunningAppStarting => {
                    assert!(is_live || (is_static && self.state.served_revision().is_some()));
                }
                Stage::Building => assert!(!self.builds.is_empty() && !is_live),
                Stage::AppStarting => assert!(!self.instances.is_empty() && !is_live),
                Stage::Sleeping | Stage::Paused | Stage::Deleting => assert!(self.instances.is_empty()),
                Stage::NoAppFile | Stage::ConfigError | Stage::BuildError | Stage::RuntimeError => {}
            }
            // A repository without an app is an error with a message, or just empty.
            if stage != Stage::NoAppFile {
                assert_eq!(is_error, self.state.error_message().is_some(), "{stage}: {:?}", self.state);
            }
        }
    }

    /// Lets everything under way succeed.
    fn settle(&mut self) {
        for _ in 0..100 {
            if self.builds.is_empty() && self.instance(Phase::Starting, 0).is_none() {
                return;
            }
            self.play(&Step::BuildSucceeds);
            self.play(&Step::InstanceStarts(0));
        }
        panic!("it never comes to rest: {:?}", self.state);
    }
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        Just(FailureKind::NoAppFile),
        Just(FailureKind::ConfigError),
        Just(FailureKind::BuildError),
        Just(FailureKind::NoBackend),
        Just(FailureKind::Host),
    ];
    prop_oneof![
        6 => Just(Step::Push),
        1 => Just(Step::PushAgain),
        6 => Just(Step::BuildSucceeds),
        3 => kind.prop_map(Step::BuildFails),
        8 => any::<usize>().prop_map(Step::InstanceStarts),
        3 => any::<usize>().prop_map(Step::StartFails),
        3 => any::<usize>().prop_map(Step::Crashes),
        1 => any::<usize>().prop_map(Step::GivesWay),
        2 => any::<usize>().prop_map(Step::Idle),
        3 => Just(Step::Visit),
        2 => Just(Step::Settings),
        1 => Just(Step::Pause),
        2 => any::<usize>().prop_map(Step::RollBack),
        2 => any::<bool>().prop_map(|factory| Step::Restart { factory }),
        1 => Just(Step::Reboot),
        2 => (0u64..100_000).prop_map(Step::TimePasses),
        1 => any::<u64>().prop_map(Step::StaleInstance),
        1 => Just(Step::StaleBuild),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_invariants(steps in prop::collection::vec(step(), 0..60), delete_at in 0usize..200) {
        let mut world = World::default();
        for (n, step) in steps.iter().enumerate() {
            if n == delete_at {
                world.play(&Step::Delete);
            }
            world.play(step);
        }
        let text = serde_json::to_string(&world.state).unwrap();
        prop_assert_eq!(serde_json::from_str::<State>(&text).unwrap(), world.state, "a state survives being stored");
    }

    #[test]
    fn a_restart_always_leads_to_the_newest_revision(steps in prop::collection::vec(step(), 0..60)) {
        let mut world = World::default();
        steps.iter().for_each(|step| world.play(step));
        world.play(&Step::Restart { factory: false });
        world.settle();
        // What the owner has gone back from stays where it is.
        let is_set_aside = world.head.is_some() && world.state.set_aside == world.head;
        let expected = if is_set_aside { world.state.release.map(|release| release.revision) } else { world.head };
        prop_assert_eq!(world.state.served_revision(), expected);
        prop_assert_eq!(world.state.stage(false), if world.head.is_some() { Stage::Running } else { Stage::NoAppFile });
    }

    #[test]
    fn a_host_that_starts_again_converges(steps in prop::collection::vec(step(), 0..60), reboots in 1usize..3) {
        let mut world = World::default();
        steps.iter().for_each(|step| world.play(step));
        let before = world.state.clone();
        (0..reboots).for_each(|_| world.play(&Step::Reboot));
        world.settle();
        prop_assert_eq!(world.state.desired, before.desired);
        if before.desired == Desired::Run {
            let is_known = world.state.known_head() == world.head;
            prop_assert!(is_known, "the head is built, set aside, or known to be bad: {:?}", world.state);
            let was_up = matches!(before.serving, Serving::Live { .. } | Serving::Starting { .. });
            prop_assert!(!was_up || world.state.live_instance().is_some(), "what was up is up again");
        }
    }
}
