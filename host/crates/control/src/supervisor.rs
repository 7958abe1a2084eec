//! One supervisor per Space: the owner of its lifecycle, the only caller of `core::lifecycle::decide`.
//!
//! ```text
//!   message ──▶ decide ──▶ state ──▶ stored · published · carried out ──▶ launches, builds, timers ──▶ message
//! ```
//!
//! A supervisor is a task only while there are messages for its Space; between them it is a few hundred bytes
//! ([`member`]), so sleeping Spaces cost next to nothing. What takes time (builds, launches, stops) runs in tasks of its
//! own and comes back as a message.
//!
//! What clients asked for is stored before it is acknowledged. What the platform does by itself (a wake, a start, a sleep)
//! is carried out first and stored after: losing it costs a start at most.

mod changes;
mod instances;
mod launch;
pub(crate) mod member;
mod probe;
mod remove;
mod save;
mod timers;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use spaceport_core::billing::is_billed;
use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::{Build, Command, Event, InstanceId, Release, Serving, State, decide};
use spaceport_core::manifest::Manifest;
use spaceport_core::space::Sdk;
use spaceport_db::Batch;

use crate::builder::BuildOrder;
use crate::fleet::{FleetError, FleetView, Shared, Stored, new_build_id};
use crate::publish::{Profile, RouteSource, plain};
use crate::routes::{RouteEntry, RouteTarget};
use instances::{Instance, Launching};
use launch::LaunchOrder;
use member::{Input, Member};
use save::Saving;

pub(crate) use remove::{collect_large_files, drop_stale_parts, remove_files};
pub(crate) use timers::{Timers, run as run_timers};

/// What a supervisor knows between two messages.
pub(crate) struct Owned {
    pub(crate) profile: Profile,
    pub(crate) state: State,
    /// Configuration of the newest release; before the first, what a build has read last.
    pub(crate) manifest: Option<Arc<Manifest>>,
    /// The kind of the release that answers or would after waking, which need not be the newest.
    served_sdk: Option<Sdk>,
    /// Of what is launched next.
    generation: u64,
    instances: Vec<Instance>,
    launching: Vec<Launching>,
    /// Instances that were told to stop and have not yet.
    stopping: usize,
    hosts: Vec<String>,
    saving: Saving,
    /// What is launched now comes with many others.
    is_booting: bool,
    is_removing_files: bool,
}

/// When a change of state is stored.
enum Durability {
    /// Before anything else happens, together with this.
    First(Batch),
    /// While it already happens.
    Later,
}

/// A supervisor at work on a message.
pub(crate) struct Supervisor<'a> {
    shared: &'a Arc<Shared>,
    member: &'a Arc<Member>,
    own: &'a mut Owned,
}

impl Owned {
    pub(crate) fn new(stored: Stored, profile: Profile, generation: u64) -> Self {
        let Stored { state, manifest, served_sdk, .. } = stored;
        Self {
            profile,
            state,
            manifest,
            served_sdk,
            generation,
            instances: Vec::new(),
            launching: Vec::new(),
            stopping: 0,
            hosts: Vec::new(),
            saving: Saving::default(),
            is_booting: false,
            is_removing_files: false,
        }
    }

    /// The route as it is now.
    pub(crate) fn route(&self, space: SpaceId) -> RouteEntry {
        let live = self.live();
        self.profile.route(RouteSource {
            space,
            state: &self.state,
            sdk: self.served_sdk,
            manifest: live.map(|live| live.manifest.as_ref()).or(plain(self.manifest.as_ref())),
            generation: live.map_or(self.generation, |live| live.generation),
            live: live.map(|live| RouteTarget::Live { upstream: live.upstream.clone(), app: live.app.clone() }),
        })
    }

    /// The view as it is now.
    pub(crate) fn view(&self, space: SpaceId, shared: &Shared) -> FleetView {
        self.view_in(self.state.clone(), space, shared)
    }

    /// The view as it will be once the host's start is dealt with: nothing of what is recorded as running runs yet.
    pub(crate) fn view_before_boot(&self, space: SpaceId, shared: &Shared) -> FleetView {
        let (state, _) = decide(self.state.clone(), self.booted(), shared.clock.now());
        self.view_in(state, space, shared)
    }

    /// What the start of the host means to the Space. The branch may have moved since; the reconciler looks.
    fn booted(&self) -> Event {
        let head = match &self.state.build {
            Build::Running { revision, .. } => Some(*revision),
            build => build.failed_for_want_of_host(),
        };
        Event::Booted { build: new_build_id(), head }
    }

    fn view_in(&self, state: State, space: SpaceId, shared: &Shared) -> FleetView {
        let sdk = self.manifest.as_ref().map_or(self.profile.sdk, |manifest| manifest.sdk);
        FleetView {
            stage: state.stage(sdk == Sdk::Static),
            state,
            since: None,
            generation: shared.next_generation(),
            manifest: self.manifest.clone(),
            hardware: self.live().map(|live| live.hardware.clone()),
            queue_position: shared.builder.queue_position(space),
            waits_for: self.launching.iter().find_map(|launching| launching.waits_for.clone()),
        }
    }

    /// Host names that are to lead here but do not yet, and those that do and should not any more.
    pub(crate) fn move_hosts(&mut self, shared: &Shared) -> (Vec<String>, Vec<String>) {
        let newest = self.manifest.as_ref().map_or(self.profile.sdk, |manifest| manifest.sdk);
        let sdks = self.served_sdk.into_iter().chain([newest]);
        let hosts = self.profile.hosts(&shared.config.addresses, sdks);
        let added = hosts.iter().filter(|host| !self.hosts.contains(host)).cloned().collect();
        let removed = self.hosts.iter().filter(|host| !hosts.contains(host)).cloned().collect();
        self.hosts = hosts;
        (added, removed)
    }

    /// Keeps in mind what kind of release answers, for when it sleeps.
    fn note_served(&mut self) {
        if let Some(live) = self.live() {
            self.served_sdk = Some(live.manifest.sdk);
        } else if self.state.serving == Serving::Nothing {
            self.served_sdk = None;
        }
    }

    fn live(&self) -> Option<&Instance> {
        let live = self.state.live_instance()?;
        self.instances.iter().find(|instance| instance.id == live)
    }
}

impl<'a> Supervisor<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, member: &'a Arc<Member>, own: &'a mut Owned) -> Self {
        Self { shared, member, own }
    }

    pub(super) async fn handle(&mut self, input: Input) -> Result<(), FleetError> {
        match input {
            Input::Event(event, with) => self.decide(event, Durability::First(with)).await,
            Input::Boot => self.boot().await,
            Input::CheckHead => self.check_head().await,
            Input::Restart { factory, with } => self.restart(factory, with).await,
            Input::RollBack { number, with } => self.roll_back(number, with).await,
            Input::Visited => {
                // From here on a visit is a new one: it may find the Space asleep again.
                self.member.is_visited.store(false, Ordering::Release);
                self.decide(Event::Visited, Durability::Later).await
            }
            Input::Crashed { instance, message } => self.crashed(instance, message).await,
            Input::Waits { instance, message } => self.waits(instance, message).await,
            Input::Profile { profile, relaunch } => self.profile_changed(*profile, relaunch).await,
            Input::BuildEnded { build, report } => self.build_ended(build, *report).await,
            Input::LaunchEnded { instance, launched } => self.launch_ended(instance, launched).await,
            Input::Stopped => {
                self.stopped().await;
                Ok(())
            }
            Input::Saved { number, stored } => self.saved(number, stored),
            Input::Tick => self.tick().await,
            Input::Remove(with) => self.remove(with).await,
            Input::Shutdown(grace) => {
                self.stop_for_shutdown(grace);
                Ok(())
            }
        }
    }

    async fn decide(&mut self, event: Event, durability: Durability) -> Result<(), FleetError> {
        let (next, commands) = decide(self.own.state.clone(), event, self.shared.clock.now());
        self.adopt(next, commands, durability).await
    }

    /// Makes a decision real.
    async fn adopt(&mut self, next: State, commands: Vec<Command>, durability: Durability) -> Result<(), FleetError> {
        let has_changed = next != self.own.state;
        match durability {
            Durability::First(batch) => {
                if has_changed || !batch.is_empty() {
                    self.save_now(&next, batch).await?;
                }
                self.own.state = next;
            }
            Durability::Later => {
                self.own.state = next;
                if has_changed {
                    self.save_soon();
                }
            }
        }
        if has_changed || !commands.is_empty() {
            for command in commands {
                self.execute(command).await;
            }
            self.publish();
        }
        Ok(())
    }

    async fn execute(&mut self, command: Command) {
        match command {
            Command::StartBuild { build, revision, clean } => {
                let order = BuildOrder {
                    space: self.member.space,
                    path: self.own.profile.path.clone(),
                    build,
                    revision,
                    clean,
                };
                let member = self.member.clone();
                let shared = Arc::downgrade(self.shared);
                let done = move |report| async move {
                    let Some(shared) = shared.upgrade() else { return };
                    let ended = Input::BuildEnded { build, report: Box::new(report) };
                    if let Err(error) = member.ask(&shared, ended).await {
                        tracing::warn!(space_id = %member.space, %error, "the end of a build could not be dealt with");
                    }
                };
                self.shared.builder.start(self.shared, order, done);
            }
            Command::CancelBuild { build } => self.shared.builder.cancel(build),
            Command::Launch { instance, release, probe } => self.launch(instance, release, probe),
            Command::Stop { instance } => self.stop(instance, self.shared.config.stop_grace),
            // The state holds the time; `publish` sets the timer.
            Command::RetryAt(_) => {}
            Command::RemoveData => self.remove_files_when_idle(),
        }
    }

    /// Starts a launch. Waking a static Space shows what was there before, so its generation stays.
    fn launch(&mut self, instance: InstanceId, release: Release, probe: bool) {
        let newest = self.own.state.release == Some(release);
        let manifest = self.own.manifest.clone().filter(|_| newest);
        let is_static = manifest.as_ref().is_some_and(|manifest| manifest.sdk == Sdk::Static);
        if probe || !is_static {
            self.own.generation = self.shared.next_generation();
        }
        let stop = self.shared.closing.child_token();
        self.own.launching.push(Launching {
            id: instance,
            revision: release.revision,
            stop: stop.clone(),
            waits_for: None,
        });
        let order = LaunchOrder {
            space: self.member.space,
            instance,
            release,
            probe,
            manifest,
            generation: self.own.generation,
            is_boot: self.own.is_booting,
            stop,
        };
        let (shared, member) = (self.shared.clone(), self.member.clone());
        self.shared.spawn(async move {
            let launched = launch::run(&shared, &member, order).await;
            member.post(&shared, Input::LaunchEnded { instance, launched });
        });
    }

    /// Notes for the ledger whether the Space is paid for from now on, and on which flavor.
    fn note_stay(&self) {
        let own = &*self.own;
        let live = own.live();
        let manifest = live.map(|live| &live.manifest).or(own.manifest.as_ref());
        let sdk = manifest.map_or(own.profile.sdk, |manifest| manifest.sdk);
        let flavor = live.map_or(&own.profile.hardware, |live| &live.hardware);
        let stay = is_billed(&own.state, sdk).then_some((own.profile.owner, flavor.as_str()));
        self.member.tally.lock().turn(self.shared.clock.now(), stay);
    }

    /// Shows the world what is, and sets the timer for what is to be done next.
    fn publish(&mut self) {
        self.own.note_served();
        self.note_stay();
        self.member.slot.entry.store(Arc::new(self.own.route(self.member.space)));
        let (added, removed) = self.own.move_hosts(self.shared);
        if !added.is_empty() || !removed.is_empty() {
            let led_here = |hosts: Vec<String>| -> Vec<_> {
                hosts.into_iter().map(|host| (host, self.member.slot.clone())).collect()
            };
            self.shared.routes.update(led_here(added), &led_here(removed));
        }
        let mut view = self.own.view(self.member.space, self.shared);
        view.since = {
            let before = self.member.view.borrow();
            if before.stage == view.stage { before.since } else { Some(self.shared.clock.now()) }
        };
        self.member.view.send_replace(view);
        self.schedule();
    }
}
