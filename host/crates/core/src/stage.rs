//! Stage: the public, derived status of a Space, in the words of huggingface_hub. Never stored; see
//! [`crate::lifecycle::State::stage`].

use std::fmt;

/// What the world sees of a Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The repository holds no app yet.
    NoAppFile,
    /// The README's front matter is missing or wrong.
    ConfigError,
    /// A revision is being built and nothing runs.
    Building,
    /// The last build failed.
    BuildError,
    /// The built revision is starting and nothing else runs.
    AppStarting,
    /// The Space answers requests.
    Running,
    /// The Space answers requests while a new revision is being built.
    RunningBuilding,
    /// The Space answers requests while a new revision starts.
    RunningAppStarting,
    /// The Space could not be started, or there is no backend for it.
    RuntimeError,
    /// Idle and stopped; the next visit wakes it.
    Sleeping,
    /// Stopped by its owner; visits do not wake it.
    Paused,
    /// Being deleted.
    Deleting,
}

impl Stage {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAppFile => "NO_APP_FILE",
            Self::ConfigError => "CONFIG_ERROR",
            Self::Building => "BUILDING",
            Self::BuildError => "BUILD_ERROR",
            Self::AppStarting => "APP_STARTING",
            Self::Running => "RUNNING",
            Self::RunningBuilding => "RUNNING_BUILDING",
            Self::RunningAppStarting => "RUNNING_APP_STARTING",
            Self::RuntimeError => "RUNTIME_ERROR",
            Self::Sleeping => "SLEEPING",
            Self::Paused => "PAUSED",
            Self::Deleting => "DELETING",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
