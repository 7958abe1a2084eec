//! Builds: from a revision to what can be launched, a bounded number at a time.
//!
//! Every build reads its README first and then knows its lane: static Spaces that need no command pass in the light lane,
//! everything else waits for one of few workers, those for components or those for containers, in the order it came. A
//! newer build of the same Space cancels the older one, so a Space waits at most once. What happens is told in the build's
//! log; how it ends is told to the supervisor, unless nobody wants to know any more.

mod job;
mod request;
mod site;
mod steps;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use spaceport_core::id::{BuildId, SpaceId};
use spaceport_core::lifecycle::{BuildFailure, Millis};
use spaceport_core::manifest::Manifest;
use spaceport_core::name::SpacePath;
use spaceport_core::revision::Oid;
use spaceport_core::space::Sdk;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::fleet::Shared;
use crate::ports::{Artifact, BackendPlugin};

pub(crate) use site::commit_of;

/// Builds that read and check out at the same time: mostly waiting for git and the disk.
const LIGHT_WORKERS: usize = 4;

/// What is to be built.
pub(crate) struct BuildOrder {
    pub(crate) space: SpaceId,
    pub(crate) path: SpacePath,
    pub(crate) build: BuildId,
    pub(crate) revision: Oid,
    /// Use nothing kept from earlier builds.
    pub(crate) clean: bool,
}

/// How a build has ended.
pub(crate) struct BuildReport {
    /// The revision's configuration, if it could be read.
    pub(crate) manifest: Option<Arc<Manifest>>,
    pub(crate) outcome: Result<Built, BuildFailure>,
}

/// What a build has made.
pub(crate) struct Built {
    pub(crate) artifact: Artifact,
    /// The README as far as it is configuration.
    pub(crate) front_matter: String,
}

/// The lanes and who is in them.
pub(crate) struct Builder {
    light: Semaphore,
    components: Semaphore,
    containers: Semaphore,
    workers: usize,
    jobs: Mutex<Jobs>,
}

#[derive(Default)]
struct Jobs {
    by_build: HashMap<BuildId, Job>,
    next_turn: u64,
}

struct Job {
    space: SpaceId,
    cancel: CancellationToken,
    /// What it takes, and its turn; a smaller number came earlier.
    lane: Option<(Lane, u64)>,
    phase: BuildPhase,
    begun_at: Millis,
}

impl Job {
    fn is_waiting(&self) -> bool {
        self.phase == BuildPhase::Queued
    }

    /// Whether it has a worker of this lane, or waits for one.
    fn is_in(&self, lane: Lane) -> bool {
        self.lane.is_some_and(|(own, _)| own == lane) && self.phase != BuildPhase::Storing
    }
}

/// What is done in a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildPhase {
    /// Its README is read.
    Reading,
    /// It waits for a worker.
    Queued,
    /// The revision's files are written.
    CheckingOut,
    /// A backend makes of them what runs.
    Building,
    /// What was made is stored as a release.
    Storing,
}

/// What a build takes that is not light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// A compiler, for a minute.
    Components,
    /// A container backend, for as long as the packages take: nobody who waits for a compiler waits for that.
    Containers,
}

impl Builder {
    /// A builder with this many workers for what needs a compiler.
    pub(crate) fn new(workers: usize) -> Self {
        let workers = workers.max(1);
        Self {
            light: Semaphore::new(LIGHT_WORKERS),
            components: Semaphore::new(workers),
            containers: Semaphore::new(workers),
            workers,
            jobs: Mutex::default(),
        }
    }

    /// Starts a build; `done` is told how it ends, unless it is cancelled. The log of the build before is gone when this
    /// returns.
    pub(crate) fn start<F: Future<Output = ()> + Send>(
        &self,
        shared: &Arc<Shared>,
        order: BuildOrder,
        done: impl FnOnce(BuildReport) -> F + Send + 'static,
    ) {
        let (cancel, begun_at) = (shared.closing.child_token(), shared.clock.now());
        let job = Job { space: order.space, cancel: cancel.clone(), lane: None, phase: BuildPhase::Reading, begun_at };
        self.jobs.lock().by_build.insert(order.build, job);
        let log = shared.logs.begin_build(order.space);
        let shared_too = shared.clone();
        shared.spawn(async move {
            let ended = tokio::select! {
                biased;
                () = cancel.cancelled() => None,
                report = job::run(&shared_too, &order, log) => Some(report),
            };
            let builder = &shared_too.builder;
            if let Some(report) = ended {
                match report.outcome {
                    Ok(_) => builder.built(&shared_too, &order, begun_at),
                    Err(_) => builder.forget(&shared_too, order.build),
                }
                done(report).await;
            }
            builder.forget(&shared_too, order.build);
        });
    }

    /// Ends a build whose result is no longer wanted.
    pub(crate) fn cancel(&self, build: BuildId) {
        if let Some(job) = self.jobs.lock().by_build.remove(&build) {
            job.cancel.cancel();
        }
    }

    /// A build is over.
    fn forget(&self, shared: &Shared, build: BuildId) {
        self.jobs.lock().by_build.remove(&build);
        self.tell_waiting(shared);
    }

    /// What is done in the build of a Space, and when that began.
    pub(crate) fn progress(&self, space: SpaceId) -> Option<(BuildPhase, Millis)> {
        let jobs = self.jobs.lock();
        jobs.by_build.values().find(|job| job.space == space).map(|job| (job.phase, job.begun_at))
    }

    /// Goes on with a build, as those who watch its Space see.
    fn enter(&self, shared: &Shared, build: BuildId, phase: BuildPhase) {
        let space = self.jobs.lock().by_build.get_mut(&build).map(|job| {
            job.phase = phase;
            job.space
        });
        if let Some(space) = space {
            shared.tell(space, |_| ());
        }
    }

    /// A build has made something, which is to be stored yet.
    fn built(&self, shared: &Shared, order: &BuildOrder, begun_at: Millis) {
        let took = shared.clock.now().saturating_sub(begun_at);
        shared.tell(order.space, |member| member.last_build.store(took.max(1), Ordering::Relaxed));
        self.enter(shared, order.build, BuildPhase::Storing);
        self.tell_waiting(shared);
    }

    /// Tells those who watch a Space whose build waits that its place in the queue may be another.
    fn tell_waiting(&self, shared: &Shared) {
        let waiting: Vec<SpaceId> =
            self.jobs.lock().by_build.values().filter(|job| job.is_waiting()).map(|job| job.space).collect();
        for space in waiting {
            shared.tell(space, |_| ());
        }
    }

    /// How many builds are ahead of a Space's own while that waits for a worker.
    pub(crate) fn queue_position(&self, space: SpaceId) -> Option<usize> {
        let jobs = self.jobs.lock();
        let (lane, own) = jobs.by_build.values().find(|job| job.space == space && job.is_waiting())?.lane?;
        let is_ahead =
            |job: &&Job| job.is_in(lane) && (!job.is_waiting() || job.lane.is_some_and(|(_, turn)| turn < own));
        Some(jobs.by_build.values().filter(is_ahead).count())
    }

    /// Builds that wait for a worker, and builds under way.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let jobs = self.jobs.lock();
        let waiting = jobs.by_build.values().filter(|job| job.is_waiting()).count();
        let stored = jobs.by_build.values().filter(|job| job.phase == BuildPhase::Storing).count();
        (waiting, jobs.by_build.len() - waiting - stored)
    }

    /// Puts a build at the end of the queue for a worker; how many are ahead of it, workers at work not counted while one
    /// is free.
    fn queue(&self, build: BuildId, lane: Lane) -> usize {
        let mut jobs = self.jobs.lock();
        let turn = jobs.next_turn;
        jobs.next_turn += 1;
        let ahead = jobs.by_build.values().filter(|job| job.is_in(lane)).count();
        if let Some(job) = jobs.by_build.get_mut(&build) {
            job.lane = Some((lane, turn));
            job.phase = BuildPhase::Queued;
        }
        if ahead < self.workers { 0 } else { ahead }
    }

    fn workers(&self, lane: Lane) -> &Semaphore {
        match lane {
            Lane::Components => &self.components,
            Lane::Containers => &self.containers,
        }
    }
}

/// Why nothing here runs such a Space, in a sentence for the owner. A configured backend that does not answer is named: it
/// might run the Space if it did.
pub(crate) fn no_backend(sdk: Sdk, plugins: &[BackendPlugin]) -> String {
    if !sdk.is_container() {
        return format!("no backend on this host for sdk: {}", sdk.as_str());
    }
    let silent = plugins.iter().find_map(|plugin| Some((&plugin.name, plugin.problem.as_ref()?)));
    match silent {
        Some((name, why)) => format!("the container backend {name} is not answering: {why}"),
        None => "no container backend on this host".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_backend_that_does_not_answer_is_named() {
        let plugin = |name: &str, problem: Option<&str>| BackendPlugin {
            name: name.to_owned(),
            problem: problem.map(str::to_owned),
            restarts: 0,
        };
        let (well, down) = (plugin("well", None), plugin("docker", Some("it ended with status 3")));
        let none = "no container backend on this host";
        assert_eq!(no_backend(Sdk::Docker, &[]), none);
        assert_eq!(no_backend(Sdk::Gradio, std::slice::from_ref(&well)), none);
        let words = "the container backend docker is not answering: it ended with status 3";
        assert_eq!(no_backend(Sdk::Docker, &[well, down.clone()]), words);
        assert_eq!(no_backend(Sdk::Wasm, &[down]), "no backend on this host for sdk: wasm");
    }
}
