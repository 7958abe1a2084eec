//! What a supervisor makes of each kind of news: the start of the host, heads, settings, builds, launches, crashes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use spaceport_core::id::BuildId;
use spaceport_core::lifecycle::{
    Build, BuildFailure, Desired, Event, FailureKind, InstanceId, Release, Serving, State, decide,
};
use spaceport_core::manifest::Manifest;
use spaceport_core::plugin::Plugins;
use spaceport_core::revision::{DEPLOY_BRANCH, Oid};
use spaceport_db::{Batch, BuiltRelease};

use super::instances::Instance;
use super::{Durability, Supervisor};
use crate::builder::{BuildReport, Built, commit_of};
use crate::fleet::{FleetError, new_build_id};
use crate::logs::LogKind;
use crate::ports::LaunchError;
use crate::publish::Profile;

/// Releases kept per Space: far more than anybody goes back, and few enough to be read as one list.
const MAX_RELEASES: u64 = 100;

impl Supervisor<'_> {
    /// The host has started: what ran before runs again, what was being built is built again.
    pub(super) async fn boot(&mut self) -> Result<(), FleetError> {
        if self.own.state.desired == Desired::Deleted {
            return self.remove(Batch::default()).await;
        }
        self.own.is_booting = true;
        let booted = self.decide(self.own.booted(), Durability::Later).await;
        self.own.is_booting = false;
        booted
    }

    /// A head that was never built is built: the host was stopped between the commit and its record.
    pub(super) async fn check_head(&mut self) -> Result<(), FleetError> {
        if self.own.state.desired == Desired::Deleted {
            return Ok(());
        }
        let Some(head) = self.head().await?.filter(|head| self.own.state.known_head() != Some(*head)) else {
            return Ok(());
        };
        tracing::info!(space = %self.own.profile.path, revision = %head, "building a commit that no build is recorded for");
        let event = Event::Pushed { build: new_build_id(), revision: head };
        self.decide(event, Durability::First(Batch::default())).await
    }

    pub(super) async fn restart(&mut self, factory: bool, with: Batch) -> Result<(), FleetError> {
        let head = self.head().await?;
        let event = Event::RestartRequested { factory, build: new_build_id(), head };
        self.decide(event, Durability::First(with)).await
    }

    /// Launches a release there is in place of what answers, with the configuration that it was built with.
    pub(super) async fn roll_back(&mut self, number: u64, with: Batch) -> Result<(), FleetError> {
        let built = self.shared.db.releases().get(&(self.member.space, number))?;
        let built = built.ok_or(FleetError::NoSuchRelease(number))?;
        let manifest = Manifest::from_readme(built.readme.as_bytes(), Plugins::Any(&self.shared.plugins()));
        let manifest = manifest.map_err(|_| FleetError::NoSuchRelease(number))?;
        let before = self.own.manifest.replace(Arc::new(manifest));
        let event = Event::RolledBack { release: built.release };
        let decided = self.decide(event, Durability::First(with)).await;
        if decided.is_err() {
            self.own.manifest = before;
        }
        self.tidy().await;
        decided
    }

    /// The deploy branch's head. Read while its message is dealt with: a head that waited in a message may be older than
    /// one that the Space was told of meanwhile, and would be built in its place.
    async fn head(&self) -> Result<Option<Oid>, FleetError> {
        Ok(self.shared.repos.repo(self.member.space).head(DEPLOY_BRANCH).await?)
    }

    pub(super) async fn crashed(&mut self, instance: InstanceId, message: String) -> Result<(), FleetError> {
        if !self.own.instances.iter().any(|running| running.id == instance) {
            return Ok(());
        }
        tracing::info!(space = %self.own.profile.path, instance = instance.0, message, "an app has crashed");
        self.say(&format!("===== Crashed: {message} =====")).await;
        self.decide(Event::Crashed { instance, message }, Durability::Later).await
    }

    pub(super) async fn profile_changed(&mut self, profile: Profile, relaunch: bool) -> Result<(), FleetError> {
        self.own.profile = profile;
        // What was cached with the old settings is stale, whether something runs or not.
        self.own.generation = self.shared.next_generation();
        if !relaunch {
            let generation = self.own.generation;
            self.own.instances.iter_mut().for_each(|instance| instance.generation = generation);
        }
        self.publish();
        let changed = match relaunch {
            true => self.decide(Event::SettingsChanged, Durability::First(Batch::default())).await,
            false => Ok(()),
        };
        self.tidy().await;
        changed
    }

    pub(super) async fn build_ended(&mut self, build: BuildId, report: BuildReport) -> Result<(), FleetError> {
        let revision = match self.own.state.build {
            Build::Running { id, revision } if id == build => revision,
            // Superseded.
            _ => return Ok(()),
        };
        let BuildReport { manifest, outcome } = report;
        let failure = match outcome {
            Ok(built) => {
                let before = std::mem::replace(&mut self.own.manifest, manifest);
                match self.release(build, revision, built).await {
                    Ok(()) => return Ok(()),
                    Err(error) => {
                        self.own.manifest = before;
                        tracing::error!(space = %self.own.profile.path, %error, "a release could not be stored");
                        let message = format!("this host could not store the release: {error}");
                        BuildFailure { kind: FailureKind::Host, message }
                    }
                }
            }
            Err(failure) => {
                if self.own.state.release.is_none() && manifest.is_some() {
                    self.own.manifest = manifest;
                }
                failure
            }
        };
        self.decide(Event::BuildEnded { build, outcome: Err(failure) }, Durability::Later).await?;
        self.tidy().await;
        Ok(())
    }

    pub(super) async fn launch_ended(
        &mut self,
        instance: InstanceId,
        launched: Result<Instance, LaunchError>,
    ) -> Result<(), FleetError> {
        let Some(index) = self.own.launching.iter().position(|launching| launching.id == instance) else {
            // Stopped while it started, and perhaps too late to prevent it.
            if let Ok(running) = launched {
                self.take_in(running);
                self.stop(instance, Duration::ZERO);
            }
            self.remove_files_when_idle();
            return Ok(());
        };
        self.own.launching.swap_remove(index);
        if launched.is_err() && self.shared.closing.is_cancelled() {
            // Cut off by the end of the host, which the state is not to remember.
            return Ok(());
        }
        let event = match launched {
            Ok(running) => {
                self.take_in(running);
                Event::Started { instance }
            }
            Err(error) => {
                self.say(&format!("===== Start failed: {error} =====")).await;
                Event::StartFailed { instance, blame: error.blame(), message: error.message }
            }
        };
        let could_fall_back = falls_back(&self.own.state);
        self.decide(event, Durability::Later).await?;
        // What was kept for that is not needed any more, and no instance stops that would have it removed.
        if could_fall_back && !falls_back(&self.own.state) {
            self.tidy().await;
        }
        Ok(())
    }

    /// A launch waits. Where what it waits for is its own Space's, that gives way.
    pub(super) async fn waits(&mut self, instance: InstanceId, message: String) -> Result<(), FleetError> {
        let Some(launching) = self.own.launching.iter_mut().find(|launching| launching.id == instance) else {
            return Ok(());
        };
        if launching.waits_for.as_ref() == Some(&message) {
            return Ok(());
        }
        launching.waits_for = Some(message.clone());
        self.say(&format!("===== {message} =====")).await;
        if self.live_has_what_is_wanted() {
            self.decide(Event::GaveWay { instance }, Durability::Later).await?;
        }
        self.publish();
        Ok(())
    }

    fn live_has_what_is_wanted(&self) -> bool {
        let catalogue = self.shared.catalogue();
        let gpu = |flavor: &str| catalogue.flavor(flavor).and_then(|row| row.gpu.as_ref());
        let live = self.own.live().and_then(|live| gpu(&live.hardware));
        live.zip(gpu(&self.own.profile.hardware)).is_some_and(|(has, wants)| has.makes_room_for(wants))
    }

    /// Says something to the app's log that is to be read there before the stage moves.
    async fn say(&self, line: &str) {
        self.shared.logs.say(self.member.space, line);
        self.shared.logs.flushed(self.member.space, LogKind::Run).await;
    }

    pub(super) async fn stopped(&mut self) {
        self.own.stopping = self.own.stopping.saturating_sub(1);
        if self.own.state.desired == Desired::Deleted {
            self.remove_files_when_idle();
        } else {
            self.tidy().await;
        }
    }

    /// Records a built revision as the newest release and launches it.
    async fn release(&mut self, build: BuildId, revision: Oid, built: Built) -> Result<(), FleetError> {
        let space = self.member.space;
        let releases = self.shared.db.releases();
        let earlier: Vec<u64> = releases.under(&space)?.into_iter().map(|((_, number), _)| number).collect();
        let number = earlier.last().map_or(1, |newest| newest + 1);
        let release = Release { number, revision };
        let record = BuiltRelease {
            release,
            artifact: built.artifact.0,
            readme: built.front_matter,
            created_at: self.shared.clock.now(),
        };
        let mut batch = Batch::default();
        batch.put(releases, &(space, number), &record);
        // One that is gone back to, or that answers until another does, may be any of them.
        let needed = needed_releases(&self.own.state).map(|release| release.number);
        let needed: BTreeSet<u64> = needed.collect();
        for old in earlier.into_iter().filter(|old| old + MAX_RELEASES <= number && !needed.contains(old)) {
            batch.delete(releases, &(space, old));
        }
        let event = Event::BuildEnded { build, outcome: Ok(release) };
        let (next, commands) = decide(self.own.state.clone(), event, self.shared.clock.now());
        self.adopt(next, commands, Durability::First(batch)).await?;
        self.tidy().await;
        Ok(())
    }

    /// Removes what nothing can need any more: checkouts of old revisions, the storage of a Space that gave it up.
    async fn tidy(&self) {
        let state = &self.own.state;
        let building = match state.build {
            Build::Running { revision, .. } => Some(revision),
            Build::None | Build::Failed { .. } => None,
        };
        let releases = state.release.into_iter().chain(needed_releases(state)).map(|release| release.revision);
        let instances = self.own.instances.iter().map(|instance| instance.revision);
        let launching = self.own.launching.iter().map(|launching| launching.revision);
        let keep: BTreeSet<Oid> =
            releases.chain(building).chain(instances).chain(launching).chain(self.sites()).collect();
        self.shared.checkouts.prune(self.member.space, keep).await;
        let uses_data = self.own.instances.iter().any(|instance| instance.has_data) || !self.own.launching.is_empty();
        if !self.own.profile.has_storage && !uses_data && self.own.stopping == 0 {
            self.shared.checkouts.remove_storage(self.member.space).await;
        }
    }
}

impl Supervisor<'_> {
    /// The commits of built sites among the releases that may be launched: their files are not the revision's.
    fn sites(&self) -> impl Iterator<Item = Oid> {
        let state = &self.own.state;
        let releases: Vec<Release> = state.release.into_iter().chain(needed_releases(state)).collect();
        releases.into_iter().filter_map(|release| {
            // One that cannot be read now is checked out again when it is launched.
            let built = self.shared.db.releases().get(&(self.member.space, release.number)).ok()??;
            commit_of(&built.artifact)
        })
    }
}

/// Whether a start that fails leads back to another revision.
fn falls_back(state: &State) -> bool {
    match &state.serving {
        Serving::Starting { release, fallback: Some(fallback), .. } => release.revision != fallback.revision,
        _ => false,
    }
}

/// The release that answers or is being started, and the one that is gone back to if that fails.
fn needed_releases(state: &State) -> impl Iterator<Item = Release> {
    let (release, fallback) = match &state.serving {
        Serving::Nothing => (None, None),
        Serving::Starting { release, fallback, .. } => (Some(*release), *fallback),
        Serving::Asleep { release } | Serving::Live { release, .. } | Serving::Failed { release, .. } => {
            (Some(*release), None)
        }
    };
    release.into_iter().chain(fallback)
}
