//! What a Space should do next: one pure function from state and event to state and commands.
//!
//! Two machines run side by side, what *serves* and what is *being built*; the public stage is derived from both
//! ([`State::stage`]) and never stored. A supervisor owns one [`State`], feeds it events, carries out the commands and
//! reports their results as further events.
//!
//! ```text
//!                      push, factory restart                     Ended(ok)
//!   build:   None ───────────────────────────▶ Running ───────────────────────▶ None  (+ a release, launched)
//!                                                 └────────── Ended(failed) ──▶ Failed (what serves goes on serving)
//!
//!   serving: Nothing ──▶ Starting ──Started──▶ Live ◀──Started── Live + next   (old one drains)
//!                          ▲   │                │ └──launch────────▲
//!                     wake │   │ StartFailed    │ idle, pause
//!                          │   ▼                ▼
//!                          │  Failed ──retry─▶ Starting
//!                          └──────────────── Asleep
//! ```
//!
//! Invariants: at most one instance serves and at most one is about to; an instance that answers is only ever replaced by
//! one that has answered its probe; a failed build or a failed start never takes away what serves, not even from a Space
//! that is asleep (its `fallback`); while paused nothing runs and nothing is built: what was pushed meanwhile is built
//! when the Space is restarted.

mod decide;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::id::BuildId;
use crate::revision::Oid;
use crate::stage::Stage;

pub use decide::decide;

/// Milliseconds since the Unix epoch; time is always an argument here.
pub type Millis = u64;

/// Pause before the first retry of a failed start; doubles with each further failure.
pub const FIRST_RETRY: Millis = 1_000;
/// Starts that may fail in a row before the Space waits for a push, a restart, a changed setting or the host's next start.
pub const MAX_ATTEMPTS: u32 = 6;
/// Longest pause between starts that fail through the host. They go on for ever, since nobody but the host can end them.
pub const HOST_RETRY: Millis = 5 * 60_000;
/// An instance that has lived this long has proved itself: its next crash is counted as the first.
pub const PROVEN_AFTER: Millis = 60_000;

/// The lifecycle of one Space. Durable as a whole, so its parts derive serde.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What the owner wants.
    pub desired: Desired,
    /// What is being built, or how the last build failed.
    pub build: Build,
    /// What a restart launches: the newest revision that was built, or the one that the owner has gone back to.
    pub release: Option<Release>,
    /// What answers requests.
    pub serving: Serving,
    /// Why the newest release does not serve although it was built, while an older one goes on.
    pub trouble: Option<String>,
    /// Number of the next instance.
    pub next_instance: u64,
    /// The head that the owner has gone back from: it is not built again until it is asked for or something newer comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<Oid>,
}

/// The owner's will.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Desired {
    /// Serve, asleep or awake.
    Run,
    /// Do not run until told otherwise.
    Paused,
    /// Go away with everything.
    Deleted,
}

/// The building half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Build {
    /// Nothing is being built and the last build, if any, succeeded.
    None,
    /// A revision is queued or being built.
    Running {
        /// The build.
        id: BuildId,
        /// What it builds.
        revision: Oid,
    },
    /// The last build failed.
    Failed {
        /// What it built.
        revision: Oid,
        /// How it failed.
        failure: BuildFailure,
    },
}

/// How a build failed; each kind has a stage of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildFailure {
    /// Which stage it leads to.
    pub kind: FailureKind,
    /// What to do about it, in a sentence.
    pub message: String,
}

/// The stage a failed build leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// `app_file` is not in the repository.
    NoAppFile,
    /// The README has no usable front matter.
    ConfigError,
    /// What is there cannot be turned into something that runs.
    BuildError,
    /// Nothing on this host runs this kind of Space.
    NoBackend,
    /// This host could not do its part; the revision may be fine.
    Host,
}

/// Whose fault a failed start is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The app's: trying for ever would help nobody.
    App,
    /// This host's: its owner can do nothing about it.
    Host,
}

/// A built revision, by its number in the Space's list of releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// 1 for the Space's first.
    pub number: u64,
    /// The commit it was built from.
    pub revision: Oid,
}

/// One launch of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InstanceId(pub u64);

/// The serving half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Serving {
    /// There is no release yet.
    Nothing,
    /// Stopped; `release` is what wakes.
    Asleep {
        /// What wakes.
        release: Release,
    },
    /// An instance is starting and nothing answers yet.
    Starting {
        /// The launch.
        instance: InstanceId,
        /// What it launches.
        release: Release,
        /// Failed starts before this one.
        failures: u32,
        /// What served before and is to be served again if a newer release does not start.
        fallback: Option<Release>,
    },
    /// An instance answers requests.
    Live {
        /// The launch.
        instance: InstanceId,
        /// What it serves.
        release: Release,
        /// Since when.
        since: Millis,
        /// Crashes that led to this launch.
        failures: u32,
        /// What is starting to take its place.
        next: Option<Next>,
    },
    /// The last start failed.
    Failed {
        /// What failed to start.
        release: Release,
        /// Why, in a sentence.
        message: String,
        /// Failed starts in a row.
        failures: u32,
        /// When it is tried again; `None`: not without a push, a restart, a changed setting or a start of the host.
        retry_at: Option<Millis>,
    },
}

/// An instance that is to take the place of the live one once it has answered its probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// The launch.
    pub instance: InstanceId,
    /// What it launches.
    pub release: Release,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The deploy branch moved. `build` is the id for the build this asks for.
    Pushed {
        /// Id for the new build.
        build: BuildId,
        /// The new head.
        revision: Oid,
    },
    /// A build ended.
    BuildEnded {
        /// Which.
        build: BuildId,
        /// How.
        outcome: Result<Release, BuildFailure>,
    },
    /// An instance answered its probe, or woke.
    Started {
        /// Which.
        instance: InstanceId,
    },
    /// An instance could not be started. If it was to take the place of a sleeper, the Space sleeps again afterwards: a
    /// visitor who still waits has to ask anew.
    StartFailed {
        /// Which.
        instance: InstanceId,
        /// Why, in a sentence.
        message: String,
        /// Whose fault it is.
        blame: Blame,
    },
    /// A live instance can answer no more.
    Crashed {
        /// Which.
        instance: InstanceId,
        /// Why, in a sentence.
        message: String,
    },
    /// A launch needs what the live instance has, and nobody else can have at the same time.
    GaveWay {
        /// The launch.
        instance: InstanceId,
    },
    /// A visitor wants an answer.
    Visited,
    /// No request for as long as the sleep time says.
    IdleElapsed {
        /// Which instance was idle.
        instance: InstanceId,
    },
    /// The time of a retry has come.
    RetryDue,
    /// The owner goes back, or forward, to a release there is.
    RolledBack {
        /// Which.
        release: Release,
    },
    /// The owner pauses the Space.
    PauseRequested,
    /// The owner restarts or resumes the Space. `head` is the deploy branch's head, `build` an id in case of a build.
    RestartRequested {
        /// Build from scratch too.
        factory: bool,
        /// Id for a new build.
        build: BuildId,
        /// Head of the deploy branch, if it has a commit.
        head: Option<Oid>,
    },
    /// Variables, secrets, hardware or storage changed.
    SettingsChanged,
    /// The owner deletes the Space.
    DeleteRequested,
    /// The host started; nothing of what ran before runs now.
    Booted {
        /// Id for a new build.
        build: BuildId,
        /// Head of the deploy branch, if it has a commit.
        head: Option<Oid>,
    },
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Build a revision; ends as [`Event::BuildEnded`].
    StartBuild {
        /// The build.
        build: BuildId,
        /// What to build.
        revision: Oid,
        /// Use nothing kept from earlier builds.
        clean: bool,
    },
    /// A build's result is no longer wanted.
    CancelBuild {
        /// Which.
        build: BuildId,
    },
    /// Launch a release; ends as [`Event::Started`] or [`Event::StartFailed`].
    Launch {
        /// The launch.
        instance: InstanceId,
        /// What to launch.
        release: Release,
        /// Whether it must answer a request before it counts as started; a sleeper that served before need not.
        probe: bool,
    },
    /// Stop an instance; requests in flight may end.
    Stop {
        /// Which.
        instance: InstanceId,
    },
    /// Send [`Event::RetryDue`] at this time.
    RetryAt(Millis),
    /// Remove what the Space has on disk.
    RemoveData,
}

impl Default for State {
    /// A Space that was just created: nothing built, nothing served.
    fn default() -> Self {
        Self {
            desired: Desired::Run,
            build: Build::None,
            release: None,
            serving: Serving::Nothing,
            trouble: None,
            next_instance: 1,
            set_aside: None,
        }
    }
}

impl State {
    /// The public stage. A static Space costs nothing asleep and wakes within a request, so it reads as running.
    pub fn stage(&self, is_static: bool) -> Stage {
        match self.desired {
            Desired::Deleted => return Stage::Deleting,
            Desired::Paused => return Stage::Paused,
            Desired::Run => {}
        }
        let (is_up, is_replaced) = self.up(is_static);
        match (&self.build, &self.serving) {
            (Build::Running { .. }, _) if is_up => Stage::RunningBuilding,
            (Build::Running { .. }, _) => Stage::Building,
            (Build::Failed { failure, .. }, _) => failure.kind.stage(),
            (Build::None, Serving::Nothing) => Stage::NoAppFile,
            (Build::None, Serving::Failed { .. }) => Stage::RuntimeError,
            (Build::None, _) if is_replaced => Stage::RunningAppStarting,
            (Build::None, Serving::Starting { .. }) if !is_up || self.trouble.is_some() => Stage::AppStarting,
            (Build::None, _) if self.trouble.is_some() => Stage::RuntimeError,
            (Build::None, _) if is_up => Stage::Running,
            (Build::None, _) => Stage::Sleeping,
        }
    }

    /// Whether the Space reads as answering, and whether something is starting to take the place of what answers.
    fn up(&self, is_static: bool) -> (bool, bool) {
        match &self.serving {
            Serving::Live { next, .. } => (true, next.is_some()),
            Serving::Asleep { .. } => (is_static, false),
            Serving::Starting { release, fallback: Some(fallback), .. } if is_static => (true, release != fallback),
            Serving::Starting { .. } | Serving::Nothing | Serving::Failed { .. } => (false, false),
        }
    }

    /// Why the stage is an error, in a sentence for the owner; `None` while it is not one.
    pub fn error_message(&self) -> Option<&str> {
        if self.desired != Desired::Run {
            return None;
        }
        match (&self.build, &self.serving, &self.trouble) {
            (Build::Running { .. }, _, _) => None,
            (Build::Failed { failure, .. }, _, _) => Some(&failure.message),
            (Build::None, Serving::Failed { message, .. }, _) => Some(message),
            (Build::None, Serving::Starting { .. } | Serving::Live { next: Some(_), .. }, _) => None,
            (Build::None, _, trouble) => trouble.as_deref(),
        }
    }

    /// The revision that answers requests now, or would after waking.
    pub fn served_revision(&self) -> Option<Oid> {
        self.served_release().map(|release| release.revision)
    }

    /// The release that answers requests now, or would after waking.
    pub fn served_release(&self) -> Option<Release> {
        match &self.serving {
            Serving::Live { release, .. } | Serving::Asleep { release } => Some(*release),
            Serving::Starting { fallback, .. } => *fallback,
            Serving::Nothing | Serving::Failed { .. } => None,
        }
    }

    /// The head of the deploy branch that was dealt with last: built, being built, known to be bad, or set aside.
    pub fn known_head(&self) -> Option<Oid> {
        match &self.build {
            Build::Running { revision, .. } | Build::Failed { revision, .. } => Some(*revision),
            Build::None => self.set_aside.or(self.release.map(|release| release.revision)),
        }
    }

    /// The instance that answers requests now.
    pub fn live_instance(&self) -> Option<InstanceId> {
        match &self.serving {
            Serving::Live { instance, .. } => Some(*instance),
            _ => None,
        }
    }
}

impl Build {
    /// The revision whose build may succeed on a host that was started again: it failed for want of the host.
    pub fn failed_for_want_of_host(&self) -> Option<Oid> {
        match self {
            Self::Failed { revision, failure } => match failure.kind {
                FailureKind::NoBackend | FailureKind::Host => Some(*revision),
                FailureKind::NoAppFile | FailureKind::ConfigError | FailureKind::BuildError => None,
            },
            Self::None | Self::Running { .. } => None,
        }
    }
}

impl FailureKind {
    fn stage(self) -> Stage {
        match self {
            Self::NoAppFile => Stage::NoAppFile,
            Self::ConfigError => Stage::ConfigError,
            Self::BuildError | Self::Host => Stage::BuildError,
            Self::NoBackend => Stage::RuntimeError,
        }
    }
}
