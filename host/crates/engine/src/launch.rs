//! What the caller says of a Space that is to run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use spaceport_core::egress::EgressPolicy;
use spaceport_core::fault::Fault;
use spaceport_core::id::SpaceId;
use spaceport_core::limits::Limits;
use spaceport_core::manifest::Isolation;

use crate::artifacts::ArtifactId;
use crate::log::GuestLog;

/// One Space to run.
pub struct LaunchSpec {
    /// The Space.
    pub space: SpaceId,
    /// Its `owner/name`, for logs and for the guest.
    pub label: String,
    /// The commit that is served, 40 hexadecimal digits.
    pub revision: String,
    /// What to run.
    pub artifact: ArtifactId,
    /// The environment, in this order.
    pub env: Vec<(String, String)>,
    /// The repository, read-only, at `/app`.
    pub app: PathBuf,
    /// At `/tmp`.
    pub tmp: PathBuf,
    /// At `/data`, with a storage tier.
    pub data: Option<PathBuf>,
    /// What it may use.
    pub limits: Limits,
    /// Where it may connect.
    pub egress: EgressPolicy,
    /// How long an instance lives.
    pub isolation: Isolation,
    /// Its run log.
    pub log: Arc<dyn GuestLog>,
    /// Told, with the last reason, when its instances do not start any more.
    pub on_crash: Box<dyn Fn(&Fault) + Send + Sync>,
    /// For a plugin that serves an `sdk:` kind: the Space it serves. Apps have none.
    pub sdk: Option<SdkContext>,
}

/// What a plugin learns of the Space it serves.
#[derive(Debug, Clone, Default)]
pub struct SdkContext {
    /// The entry file.
    pub app_file: String,
    /// Headers for every response.
    pub custom_headers: BTreeMap<String, String>,
    /// What the pages are given.
    pub page_variables: Vec<(String, String)>,
    /// The commit that is served.
    pub revision: String,
    /// Every file of the revision by its clean relative path: its size and the id of its git blob.
    pub files: BTreeMap<String, (u64, String)>,
}

/// Why a Space cannot run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The artifact is not there, was made by another engine or does not bear our seal: compile again.
    #[error("the compiled app is not usable: {0}")]
    Recompile(crate::artifacts::LoadError),
    /// The component does not fit: an import is not offered, or it exports nothing that can be called.
    #[error("the app does not fit: {0}")]
    Refused(String),
    /// The Space's directories cannot be used.
    #[error("the Space's directories cannot be used: {0}")]
    Files(std::io::Error),
}

// Not a source: its text is part of ours, and whoever prints the chain would say it twice.
impl From<std::io::Error> for StartError {
    fn from(error: std::io::Error) -> Self {
        Self::Files(error)
    }
}
