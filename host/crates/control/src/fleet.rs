//! All Spaces of this host as they run: the door to supervisors, builder, logs and samples.
//!
//! Operations tell the fleet what happened (a push, a changed setting) and ask it how things are; the edge wakes sleepers
//! through it. Each Space is owned by one `supervisor`; the fleet only finds it and hands messages over. What a
//! method has returned from without an error is durable.

mod error;
mod shared;
mod start;
#[cfg(test)]
mod tests;
mod wake;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use spaceport_core::egress::EgressPolicy;
use spaceport_core::hardware::{Catalogue, Hardware};
use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::{Desired, Event, InstanceId, Millis, State};
use spaceport_core::limits::OperatorLimits;
use spaceport_core::manifest::Manifest;
use spaceport_core::plugin::PluginKind;
use spaceport_core::revision::Oid;
use spaceport_core::space::{Sdk, Space};
use spaceport_core::stage::Stage;
use spaceport_db::{Batch, Db, KeyStore};
use spaceport_git::{Repo, Repos};
use tokio::sync::watch;

use crate::builder::BuildPhase;
use crate::logs::{LogKind, LogReader};
use crate::metrics::RequestCounts;
use crate::ports::{Backend, BackendPlugins, Clock, Usage};
use crate::publish::Profile;
use crate::routes::{RouteEntry, RouteTable};
use crate::sampler::{self, FleetSnapshot, Minute};
use crate::service::Addresses;
use crate::supervisor;
use crate::supervisor::member::Input;

pub use error::FleetError;
pub(crate) use shared::{Shared, new_build_id, no_failure_if_ending};
pub(crate) use start::Stored;
pub use wake::WakeError;

/// What the operator has decided, as far as running goes.
#[derive(Clone)]
pub struct FleetConfig {
    /// The data directory; the fleet keeps `checkouts`, `tmp`, `storage` and `logs` in it.
    pub data: PathBuf,
    /// Opens secrets at a launch.
    pub keys: KeyStore,
    /// Hardware and storage on offer, as far as administrators have not changed it since.
    pub catalogue: Catalogue,
    /// Where everything is reached.
    pub addresses: Addresses,
    /// `[limits]`.
    pub limits: OperatorLimits,
    /// Where guests may connect, before a Space's own narrowing.
    pub egress: EgressPolicy,
    /// Idle time after which a Space on free hardware sleeps; `None`: never.
    pub free_sleep_after: Option<Duration>,
    /// Whether pages of static Spaces are given secrets.
    pub expose_static_secrets: bool,
    /// Builds that compile at the same time.
    pub build_workers: usize,
    /// Longest build, from its turn to its end.
    pub build_deadline: Duration,
    /// How long requests in flight may go on in an instance that is replaced or put to sleep.
    pub stop_grace: Duration,
}

/// What the fleet works with.
pub struct FleetParts {
    /// Durable state.
    pub db: Arc<Db>,
    /// Repositories.
    pub repos: Arc<Repos>,
    /// What builds and runs, the first that offers a kind is used.
    pub backends: Vec<Arc<dyn Backend>>,
    /// How the backends are that are programs of their own.
    pub backend_plugins: BackendPlugins,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What the data path reads.
    pub routes: Arc<RouteTable>,
}

/// The Spaces as they run. Cheap to clone; when the last clone goes, nothing new is begun.
#[derive(Clone)]
pub struct Fleet {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
}

/// A Space at one moment.
#[derive(Debug, Clone)]
pub struct FleetView {
    /// Its lifecycle.
    pub state: State,
    /// What the world sees.
    pub stage: Stage,
    /// When the stage became this; `None`: before the host started.
    pub since: Option<Millis>,
    /// Larger with every change of the view, over all Spaces and starts of this process.
    pub generation: u64,
    /// Configuration of the newest built revision; before the first, of what was read last.
    pub manifest: Option<Arc<Manifest>>,
    /// The flavor of what answers now.
    pub hardware: Option<String>,
    /// Builds ahead of its own, while that waits for its turn.
    pub queue_position: Option<usize>,
    /// What its start waits for that another Space has, in a sentence.
    pub waits_for: Option<String>,
}

impl FleetView {
    /// Why the Space is not, or not yet, as its owner wants it, in a sentence.
    pub fn error_message(&self) -> Option<&str> {
        self.state.error_message().or(self.waits_for.as_deref())
    }
}

impl Fleet {
    /// Loads all Spaces, publishes their routes, brings back what ran before and finishes what was interrupted. Must be
    /// called within the runtime that is to do the work.
    pub async fn start(config: FleetConfig, parts: FleetParts) -> Result<Self, FleetError> {
        let shared = start::start(config, parts).await?;
        Ok(Self { handle: Arc::new(Handle { shared }) })
    }

    /// Marks a Space that is about to be made as deleted, until its row is stored: a host that is killed in between cleans
    /// up at its next start as after any deletion.
    pub(crate) async fn announce(&self, space: SpaceId) -> Result<(), FleetError> {
        let mut batch = Batch::default();
        let mark = State { desired: Desired::Deleted, ..State::default() };
        batch.insert_new(self.shared().db.lifecycles(), &space, &mark);
        self.shared().db.commit(batch).await?;
        Ok(())
    }

    /// Removes what was made for a Space that was announced and not stored, and the mark.
    pub(crate) async fn discard(&self, space: SpaceId) {
        supervisor::remove_files(self.shared(), space).await;
    }

    /// Merges what commits left in a repository, in the background.
    pub(crate) fn tidy(&self, repo: Repo) {
        self.shared().spawn(async move { repo.tidy().await });
    }

    /// Does something in the background that a stopping host waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared().spawn(task);
    }

    /// Takes in a Space that was just stored.
    pub async fn add(&self, space: &Space) -> Result<(), FleetError> {
        let shared = self.shared();
        let stored = Stored { space: space.clone(), state: State::default(), manifest: None, served_sdk: None };
        shared.take_in(start::member(shared, stored));
        Ok(())
    }

    /// Publishes what of a Space's settings the data path needs: path, owner, visibility.
    pub async fn republish(&self, space: &Space) -> Result<(), FleetError> {
        self.ask(space.id, Input::Profile { profile: self.profile(space), relaunch: false }).await
    }

    /// Variables, secrets, hardware or storage have changed in the database: what runs is launched again with them.
    pub async fn settings_changed(&self, space: &Space) -> Result<(), FleetError> {
        self.ask(space.id, Input::Profile { profile: self.profile(space), relaunch: true }).await
    }

    /// The deploy branch has moved to a commit. The stage has left RUNNING when this returns. What could not be recorded, as
    /// on a full disk, is tried again by the reconciler.
    pub async fn pushed(&self, space: SpaceId, revision: Oid) -> Result<(), FleetError> {
        self.pushed_with(space, revision, Batch::default()).await
    }

    /// The same, with more to be stored in the same step.
    pub(crate) async fn pushed_with(&self, space: SpaceId, revision: Oid, with: Batch) -> Result<(), FleetError> {
        let told = self.send_with(space, Event::Pushed { build: new_build_id(), revision }, with).await;
        if told.is_err() && self.shared().member(space).is_some() {
            self.shared().untold.lock().insert(space);
        }
        told
    }

    /// Restarts or resumes a Space; `factory` builds it from scratch too.
    pub async fn restart(&self, space: SpaceId, factory: bool) -> Result<(), FleetError> {
        self.restart_with(space, factory, Batch::default()).await
    }

    /// The same, with more to be stored in the same step.
    pub(crate) async fn restart_with(&self, space: SpaceId, factory: bool, with: Batch) -> Result<(), FleetError> {
        self.ask(space, Input::Restart { factory, with }).await
    }

    /// Launches a release there is in place of what answers; without a build.
    pub async fn roll_back(&self, space: SpaceId, number: u64) -> Result<(), FleetError> {
        self.roll_back_with(space, number, Batch::default()).await
    }

    /// The same, with more to be stored in the same step.
    pub(crate) async fn roll_back_with(&self, space: SpaceId, number: u64, with: Batch) -> Result<(), FleetError> {
        self.ask(space, Input::RollBack { number, with }).await
    }

    /// Hands an event to a Space and waits until it is decided and durable.
    pub async fn send(&self, space: SpaceId, event: Event) -> Result<(), FleetError> {
        self.send_with(space, event, Batch::default()).await
    }

    /// The same, with more to be stored in the same step.
    pub(crate) async fn send_with(&self, space: SpaceId, event: Event, with: Batch) -> Result<(), FleetError> {
        match event {
            Event::DeleteRequested => self.remove_with(space, with).await,
            event => self.ask(space, Input::Event(event, with)).await,
        }
    }

    /// Deletes a Space: when this returns its rows and routes are gone and its name is free; its files follow.
    pub async fn remove(&self, space: SpaceId) -> Result<(), FleetError> {
        self.remove_with(space, Batch::default()).await
    }

    /// The same, with more to be stored in the same step.
    pub(crate) async fn remove_with(&self, space: SpaceId, with: Batch) -> Result<(), FleetError> {
        self.ask(space, Input::Remove(with)).await
    }

    /// A Space now; `None` if there is no such Space.
    pub fn state(&self, space: SpaceId) -> Option<FleetView> {
        let mut view = self.shared().member(space)?.view.borrow().clone();
        view.queue_position = self.shared().builder.queue_position(space);
        Some(view)
    }

    /// What is done in the build of a Space, and when that began.
    pub(crate) fn build(&self, space: SpaceId) -> Option<(BuildPhase, Millis)> {
        self.shared().builder.progress(space)
    }

    /// How long the last build of a Space took that came to something, if there was one since the host started.
    pub(crate) fn last_build(&self, space: SpaceId) -> Option<Duration> {
        let took = self.shared().member(space)?.last_build.load(Ordering::Relaxed);
        (took > 0).then(|| Duration::from_millis(took))
    }

    /// Configuration of the newest built revision of a Space; before the first, of what was read last.
    pub(crate) fn manifest(&self, space: SpaceId) -> Option<Arc<Manifest>> {
        self.shared().member(space)?.view.borrow().manifest.clone()
    }

    /// The stage of a Space.
    pub(crate) fn stage(&self, space: SpaceId) -> Option<Stage> {
        Some(self.shared().member(space)?.view.borrow().stage)
    }

    /// A Space now and from now on. The queue's position is that of the last change.
    pub fn watch(&self, space: SpaceId) -> Option<watch::Receiver<FleetView>> {
        Some(self.shared().member(space)?.view.subscribe())
    }

    /// Wakes a sleeping Space and waits until it answers: one start for any number of callers. May be called from any
    /// runtime.
    pub async fn wake(&self, space: SpaceId) -> Result<Arc<RouteEntry>, WakeError> {
        wake::wake(self.shared(), space).await
    }

    /// An instance can answer no more. Never waits.
    pub fn crashed(&self, space: SpaceId, instance: InstanceId, message: String) {
        if let Some(member) = self.shared().member(space) {
            member.post(self.shared(), Input::Crashed { instance, message });
        }
    }

    /// Whether something here builds and runs Spaces of this kind.
    pub fn runs(&self, sdk: Sdk) -> bool {
        self.shared().backend(sdk).is_some()
    }

    /// Why no container runs on this hardware here, in a sentence for who asks for it. Without a backend only what has an
    /// accelerator is refused: the Space says itself what else is missing.
    pub(crate) fn refuses(&self, sdk: Sdk, row: &Hardware) -> Option<String> {
        match self.shared().backend(sdk) {
            Some(backend) => backend.refuses(row),
            None => row
                .gpu
                .as_ref()
                .map(|_| format!("{} needs a container backend, which this host does not have", row.name)),
        }
    }

    /// The kinds that plugins of this host bring.
    pub(crate) fn plugins(&self) -> Vec<PluginKind> {
        self.shared().plugins()
    }

    /// A log, from the oldest line kept on: of the newest build, or of all runs.
    pub fn logs(&self, space: SpaceId, kind: LogKind) -> LogReader {
        self.shared().logs.reader(space, kind)
    }

    /// The kinds that something here builds and runs, each once.
    pub(crate) fn sdks(&self) -> Vec<Sdk> {
        let mut sdks: Vec<Sdk> = Vec::new();
        for sdk in self.shared().backends.iter().flat_map(|backend| backend.sdks()) {
            if !sdks.contains(&sdk) {
                sdks.push(sdk);
            }
        }
        sdks
    }

    /// For each Space that something answers for: the flavor, and what it uses.
    pub(crate) fn live_hardware(&self) -> Vec<(String, Usage)> {
        let members = self.shared().members().into_iter();
        let live = |member: Arc<supervisor::member::Member>| {
            let flavor = member.view.borrow().hardware.clone()?;
            Some((flavor, member.meter.lock().total()))
        };
        members.filter_map(live).collect()
    }

    /// What a Space has used since the host started.
    pub fn usage(&self, space: SpaceId) -> Usage {
        self.shared().member(space).map(|member| member.meter.lock().total()).unwrap_or_default()
    }

    /// What the edge has counted for a Space since the host started.
    pub fn request_counts(&self, space: SpaceId) -> RequestCounts {
        self.shared().member(space).map(|member| member.slot.metrics.counts()).unwrap_or_default()
    }

    /// What a Space did by the minute, from `since` on, at most the last 24 hours.
    pub fn metrics(&self, space: SpaceId, since: Millis) -> Result<Vec<Minute>, FleetError> {
        Ok(sampler::minutes(self.shared(), space, since)?)
    }

    /// Every Space at this moment, for an operator's monitoring.
    pub fn snapshot(&self) -> FleetSnapshot {
        sampler::snapshot(self.shared())
    }

    /// Stops everything that runs; requests in flight may go on for `grace`. What was live is live again after a start.
    pub async fn shutdown(&self, grace: Duration) {
        self.shared().shutdown(grace).await;
    }

    /// What the operator has decided.
    pub(crate) fn config(&self) -> &FleetConfig {
        &self.shared().config
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    fn profile(&self, space: &Space) -> Box<Profile> {
        Box::new(Profile::of(space, &self.shared().catalogue(), &self.shared().config))
    }

    async fn ask(&self, space: SpaceId, input: Input) -> Result<(), FleetError> {
        let member = self.shared().member(space).ok_or(FleetError::NoSuchSpace(space))?;
        member.ask(self.shared(), input).await
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.closing.cancel();
    }
}
